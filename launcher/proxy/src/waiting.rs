//! The line of transactions that cannot begin yet.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::frame::Frame;
use crate::limits::Limits;

/// A transaction's first message, until there is somebody to give it to.
pub(crate) struct Waiting {
    pub(crate) first: Frame,
    until: Instant,
}

/// Those that wait, in the order of their coming. All wait equally long.
#[derive(Default)]
pub(crate) struct WaitingLine {
    line: VecDeque<Waiting>,
    bytes: usize,
}

impl WaitingLine {
    /// Adds one that came `now`; gives it back where there is no place.
    pub(crate) fn join(
        &mut self,
        first: Frame,
        now: Instant,
        limits: &Limits,
    ) -> Result<(), Frame> {
        // A message alone may be of any length that a message may have.
        let bytes = self.bytes + first.bytes().len();
        let is_heavy = !self.line.is_empty() && bytes > limits.waiting_bytes;
        if is_heavy || self.line.len() >= limits.waiting {
            return Err(first);
        }
        self.bytes = bytes;
        self.line.push_back(Waiting { first, until: now + limits.replica_wait });
        Ok(())
    }

    /// All of them, to be tried again; who still has to wait goes back by [`Self::rejoin`].
    pub(crate) fn take_all(&mut self) -> VecDeque<Waiting> {
        self.bytes = 0;
        std::mem::take(&mut self.line)
    }

    /// Puts one back behind the others, as it was.
    pub(crate) fn rejoin(&mut self, waiting: Waiting) {
        self.bytes += waiting.first.bytes().len();
        self.line.push_back(waiting);
    }

    /// The first one, if it has waited for too long.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<Frame> {
        let overdue = self.line.pop_front_if(|waiting| waiting.until <= now)?;
        self.bytes -= overdue.first.bytes().len();
        Some(overdue.first)
    }

    /// Until when the first one waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.line.front().map(|waiting| waiting.until)
    }
}
