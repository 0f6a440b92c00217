//! `chaincode.execution` and `chaincode.function`: when there are processes of a chaincode.

use std::num::{NonZeroU16, NonZeroU32};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// When there are processes of a chaincode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// From its launch on, as many as `replicas` says.
    #[default]
    Service,
    /// As long as it is called: a call starts a process, which answers and ends. At rest there is
    /// none. `function` says more.
    Function,
}

/// How processes come and go with `execution: function`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Function {
    /// How many calls a process gets before it ends: 1 is a process for each call. Default: no
    /// bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_process: Option<NonZeroU32>,
    /// How many calls a process has at once, before a call goes to another one or waits. A shim
    /// runs each in a thread of its own.
    #[schemars(range(min = 1, max = 2500))]
    pub concurrency: NonZeroU16,
    /// How long a process stays that has nothing to do.
    pub idle: Span,
    /// How many processes are kept started and registered beyond those that are at work, so that
    /// the next call waits for no start: for languages that start slowly. No more than
    /// `maxReplicas`.
    #[schemars(range(min = 0, max = 64))]
    pub ahead: u16,
    /// How many processes there are at once. What they have no room for waits, for 2 s at most.
    #[schemars(range(min = 1, max = 64))]
    pub max_replicas: NonZeroU16,
}

impl Default for Function {
    fn default() -> Self {
        Self {
            calls_per_process: None,
            concurrency: NonZeroU16::new(64).expect("not zero"),
            idle: Span::seconds(60),
            ahead: 0,
            max_replicas: NonZeroU16::MIN,
        }
    }
}

/// When there are how many processes: what `execution` means with the keys that count then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// So many from the launch on; not zero.
    Service {
        /// How many.
        replicas: u16,
    },
    /// As calls come.
    Function(Function),
}
