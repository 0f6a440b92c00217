//! How much there is to do, for whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many transactions a proxy has just now: those that replicas have, and those that wait for one.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<AtomicUsize>);

impl Load {
    /// How many there are.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn is(&self, transactions: usize) {
        self.0.store(transactions, Ordering::Relaxed);
    }
}
