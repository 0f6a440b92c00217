//! How many transactions may be run again: a part of the traffic.
//!
//! What makes one replica die after the other makes the next one die, too. So those that are run
//! again must never be most of what replicas do.

use std::time::Duration;

use tower::retry::budget::{Budget as _, TpsBudget};

use crate::course::Once;

/// For how long a transaction counts for the budget.
const MEMORY: Duration = Duration::from_secs(10);

/// How many may be run again in a second, however few there are.
const AT_LEAST: u32 = 10;

/// Which part of them.
const PART: f32 = 0.2;

/// What is left to be spent; the numbers are those of linkerd's retries
/// (`RetryBudget` of its service profiles).
pub(crate) struct Budget(TpsBudget);

impl Default for Budget {
    fn default() -> Self {
        Self(TpsBudget::new(MEMORY, AT_LEAST, PART))
    }
}

/// A copy has spent nothing: what a library counts by the clock cannot be copied.
#[cfg(test)]
impl Clone for Budget {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Budget {
    /// A transaction has begun.
    pub(crate) fn begun(&self) {
        self.0.deposit();
    }

    /// Lets one be run again, which counts from now on, unless there is nothing left for it.
    pub(crate) fn spend(&self) -> Option<Once> {
        (!self.0.withdraw()).then_some(Once::Budget)
    }
}
