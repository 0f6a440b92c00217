//! What the benchmark of the proxy has found, load by load.

use serde::Serialize;

use crate::machine::Busy;
use crate::stall::Stall;
use crate::usage::Used;

/// What a load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Evaluate,
    Submit,
}

/// One load's figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// The median, in microseconds.
    pub(crate) latency: f64,
    /// Calls in a second.
    pub(crate) throughput: f64,
    /// Per call.
    pub(crate) peer: Work,
    /// Per call.
    pub(crate) chaincode: Work,
    /// Per call.
    pub(crate) launcher: Work,
    pub(crate) machine: Busy,
}

/// What one process does for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// CPU time in microseconds.
    pub(crate) cpu: f64,
    /// How often a thread of it sleeps.
    pub(crate) sleeps: f64,
}

/// Three loads that followed one another: direct, proxied, direct.
pub(crate) struct Round {
    pub(crate) direct: [Measure; 2],
    pub(crate) proxied: Measure,
}

/// One kind of load and its rounds, those of all slices.
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) clients: u64,
    /// Calls that each load makes, in each slice.
    pub(crate) count: u64,
    pub(crate) rounds: Vec<Round>,
}

/// All that was found.
pub(crate) struct Found {
    pub(crate) rows: Vec<Row>,
    pub(crate) stalls: Vec<Stall>,
    pub(crate) launcher_threads: usize,
}

impl Work {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn per_call(used: Used, calls: u64) -> Self {
        let calls = calls as f64;
        Self { cpu: used.cpu_ns as f64 / 1000.0 / calls, sleeps: used.sleeps as f64 / calls }
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Submit => "submit",
        }
    }

    /// Into how many loads one is cut that take turns. A submit waits for its block most of the
    /// time, which a machine's speed does not change.
    pub(crate) const fn slices(self) -> u64 {
        match self {
            Self::Evaluate => 8,
            Self::Submit => 1,
        }
    }
}
