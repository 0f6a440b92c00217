//! What callers notice of a fault.

use std::time::Duration;

use e2e::LoadReport;
use serde::Serialize;

/// What the callers of a chaincode noticed of a fault, and those of its neighbour. Times are in
/// milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Notice {
    /// Calls made.
    pub(crate) tried: u64,
    /// Calls that failed.
    pub(crate) failed: u64,
    /// Those that returned what was not expected of them.
    pub(crate) wrong: u64,
    /// Transactions that their clients were told had been committed, and that the ledger has not.
    pub(crate) lost: u64,
    /// Transactions that the ledger has, and that their clients were told had failed, or were told
    /// nothing of.
    pub(crate) unheard: u64,
    /// Transactions that were run again.
    pub(crate) replayed: u64,
    /// The longest that a read took which succeeded.
    pub(crate) longest_read: f64,
    /// The longest that a write took which succeeded.
    pub(crate) longest_write: f64,
    /// From the fault to the end of the last call that failed or was slow.
    pub(crate) normal_after: f64,
    /// Calls of the neighbour that failed.
    pub(crate) neighbour_failed: u64,
    /// The longest that one of them took which succeeded.
    pub(crate) neighbour_longest: f64,
    /// What calls failed with, the most frequent ones.
    pub(crate) errors: Vec<String>,
}

/// A fault, and what was noticed of it.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    #[serde(flatten)]
    pub(crate) notice: Notice,
}

/// How many texts of errors are told.
const TEXTS: usize = 4;

/// What the loads of a fault came to.
pub(crate) struct Loads {
    pub(crate) reads: LoadReport,
    pub(crate) writes: LoadReport,
    pub(crate) neighbour: [LoadReport; 2],
}

impl Notice {
    /// `fault_at` is when it began, after the loads had; `on_ledger` how many of the counted writes
    /// are there.
    pub(crate) fn of(loads: &Loads, fault_at: Duration, on_ledger: u64, replayed: u64) -> Self {
        let Loads { reads, writes, neighbour } = loads;
        let both = [reads, writes];
        let sum = |figure: fn(&LoadReport) -> u64| both.map(figure).into_iter().sum();
        let told = writes.count - writes.failed;
        let all = both.into_iter().chain(neighbour);
        let trouble = all.map(|load| load.trouble_us).fold(0.0, f64::max);
        let errors = both.into_iter().chain(neighbour).flat_map(|load| &load.errors);
        Self {
            tried: sum(|load| load.count),
            failed: sum(|load| load.failed),
            wrong: sum(|load| load.wrong),
            lost: told.saturating_sub(on_ledger),
            unheard: on_ledger.saturating_sub(told),
            replayed,
            longest_read: reads.latency_us.max / 1e3,
            longest_write: writes.latency_us.max / 1e3,
            normal_after: (trouble / 1e3 - fault_at.as_secs_f64() * 1e3).max(0.0),
            neighbour_failed: neighbour.iter().map(|load| load.failed).sum(),
            neighbour_longest: longest(neighbour) / 1e3,
            errors: errors.take(TEXTS).map(|it| format!("{} × {}", it.count, it.error)).collect(),
        }
    }

    /// Whether nobody was told of a success that was none, and nobody got a wrong answer.
    pub(crate) const fn keeps_its_word(&self) -> bool {
        self.lost == 0 && self.wrong == 0
    }
}

fn longest(loads: &[LoadReport]) -> f64 {
    loads.iter().map(|load| load.latency_us.max).fold(0.0, f64::max)
}
