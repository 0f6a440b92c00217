//! The memory for long messages of replicas that have not come as a whole.
//!
//! A message's prefix announces up to 100 MiB, which many streams could leave unfinished. So a
//! long message is read only when there is memory for all of it: no two can wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the replicas of one chaincode share, in bytes.
#[derive(Clone)]
pub(crate) struct Memory(Arc<AtomicUsize>);

/// A part of it, given back when dropped.
pub(crate) struct Share {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// How much of it is free.
    pub(crate) fn free(&self) -> usize {
        // One task takes and gives: the counter orders nothing else.
        self.0.load(Ordering::Relaxed)
    }

    /// Takes a share, if so much is free.
    pub(crate) fn take(&self, bytes: usize) -> Option<Share> {
        let take = |free: usize| free.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Share { memory: self.clone(), bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_given_than_there_is() {
        let memory = Memory::new(10);
        let share = memory.take(7).unwrap();
        assert!(memory.take(4).is_none());
        assert_eq!(memory.free(), 3);
        drop(share);
        assert!(memory.take(10).is_some());
    }
}
