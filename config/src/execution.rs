//! `chaincode.execution` and `chaincode.function`: when there are processes of a chaincode.

use std::borrow::Cow;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

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

/// What stays of a chaincode's pods while no process runs in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Keep {
    /// The pods, with a keeper in each, which starts the process.
    #[default]
    Pod,
    /// Nothing: a call has a pod made first, which takes a second or more.
    Nothing,
}

/// How processes come and go with `execution: function`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Function {
    /// What stays while no process runs. Only on Kubernetes.
    pub keep: Keep,
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
    /// How many processes there are at once, on Kubernetes each in a pod of its own. What they have no
    /// room for waits.
    #[schemars(range(min = 1, max = 64))]
    pub max_replicas: NonZeroU16,
    /// How long a call waits for a process that has room for it, 10 s at most. All of its channel
    /// waits with it on that peer, since a proposal that is simulated holds up the next block.
    pub wait: Wait,
}

/// How long a call waits for a process: [`Wait::LONGEST`] at most, which a peer that gives a call 30 s
/// (`chaincode.executetimeout` of core.yaml) leaves time to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Wait(Span);

impl Wait {
    /// The longest.
    pub const LONGEST: Duration = Duration::from_secs(10);

    /// The name of the format in the schema.
    pub(crate) const FORMAT: &str = "call-wait";

    /// The time.
    pub const fn duration(self) -> Duration {
        self.0.duration()
    }

    /// Reads a text; what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let span = Span::parse(text)?;
        if span.duration() > Self::LONGEST {
            return Err(format!("it is more than {} s", Self::LONGEST.as_secs()));
        }
        Ok(Self(span))
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Wait {
    fn schema_name() -> Cow<'static, str> {
        "Wait".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": Self::FORMAT})
    }
}

impl Default for Function {
    fn default() -> Self {
        Self {
            keep: Keep::default(),
            calls_per_process: None,
            concurrency: NonZeroU16::new(64).expect("not zero"),
            idle: Span::seconds(60),
            ahead: 0,
            max_replicas: NonZeroU16::MIN,
            wait: Wait(Span::seconds(2)),
        }
    }
}

/// How the number of replicas follows what there is to do, with `execution: service`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scaling {
    /// How many replicas there are at most; at least there are as many as `replicas` says. Default:
    /// there are never more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub max_replicas: Option<NonZeroU16>,
    /// How many transactions a replica is to have in flight: with more than that for each, in the
    /// mean of some seconds, there is another one.
    #[schemars(range(min = 1, max = 2500))]
    pub in_flight: NonZeroU16,
    /// For how long fewer replicas must have been enough before one goes. It finishes what it has.
    pub calm: Span,
    /// Who says how many there are.
    pub by: ScaledBy,
}

/// Who says how many replicas there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ScaledBy {
    /// The launcher, by `inFlight` and `calm`.
    #[default]
    Launcher,
    /// Whoever scales the Deployment, such as a `HorizontalPodAutoscaler` or KEDA, between `replicas`
    /// and `maxReplicas`. The launcher's `/metrics` has what there is to do. Only on Kubernetes.
    Autoscaler,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            max_replicas: None,
            in_flight: NonZeroU16::new(16).expect("not zero"),
            // As a HorizontalPodAutoscaler of Kubernetes has it (`stabilizationWindowSeconds`).
            calm: Span::seconds(300),
            by: ScaledBy::default(),
        }
    }
}

/// When there are how many processes: what `execution` means with the keys that count then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// From the launch on.
    Service {
        /// How many there are at least; not zero.
        replicas: u16,
        /// How many there are at most: no fewer.
        most: u16,
    },
    /// As calls come.
    Function(Function),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_does_not_wait_for_as_long_as_its_peer_does() {
        assert_eq!(Wait::parse("1500ms").unwrap().duration(), Duration::from_millis(1500));
        assert_eq!(Wait::parse("10s").unwrap().duration(), Wait::LONGEST);
        assert_eq!(Wait::parse("10s 1ms"), Err("it is more than 10 s".to_owned()));
        assert!(Wait::parse("0s").is_err());
    }
}
