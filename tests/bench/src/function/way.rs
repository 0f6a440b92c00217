//! How a chaincode is executed that is measured.

use clap::ValueEnum;
use serde_json::{Value, json};

/// The language of a chaincode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Golang,
    Javascript,
    Java,
}

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Golang => "golang",
            Self::Javascript => "javascript",
            Self::Java => "java",
        }
    }

    /// Where its chaincode is.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Golang => "ledger",
            Self::Javascript => "javascript",
            Self::Java => "java",
        }
    }
}

/// How a chaincode is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One process that is there.
    Service,
    /// One for each call.
    Cold,
    /// The same, started before the call.
    Ahead,
    /// One for each call, in a pod for each call.
    Podless,
}

/// What a call waits for a process that takes its time.
const LONG: &str = "10s";

/// The ways on this machine.
pub(super) const HERE: [Way; 3] = [Way::Service, Way::Cold, Way::Ahead];

/// The ways in a cluster.
pub(super) const IN_CLUSTER: [Way; 4] = [Way::Service, Way::Cold, Way::Ahead, Way::Podless];

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Cold => "cold",
            Self::Ahead => "ahead",
            Self::Podless => "podless",
        }
    }

    /// How many processes there are between calls.
    pub(super) fn at_rest(self) -> usize {
        match self {
            Self::Service | Self::Ahead => 1,
            Self::Cold | Self::Podless => 0,
        }
    }

    /// Whether a process answers one call alone.
    pub(super) fn is_once(self) -> bool {
        self != Self::Service
    }

    /// What the operator's file says of it.
    pub(super) fn settings(self) -> Value {
        let function = match self {
            Self::Service => None,
            Self::Cold => Some(json!({ "callsPerProcess": 1, "wait": LONG })),
            Self::Ahead => Some(json!({ "callsPerProcess": 1, "ahead": 1, "maxReplicas": 2 })),
            Self::Podless => Some(json!({ "callsPerProcess": 1, "keep": "nothing", "wait": LONG })),
        };
        let chaincode = function.map_or_else(
            || json!({}),
            |function| json!({ "execution": "function", "function": function }),
        );
        json!({ "match": { "label": format!("{}-*", self.name()) }, "chaincode": chaincode })
    }
}

/// What the operator's file says of all of these.
pub(super) fn overrides(ways: &[Way]) -> Value {
    ways.iter().map(|way| way.settings()).collect()
}
