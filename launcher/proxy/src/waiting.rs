//! The line of transactions that wait for a replica.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::frame::{Frame, TransactionKey};
use crate::limits::Limits;

/// What is to be given to a replica.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) enum Wish {
    /// A transaction that begins with this message of the peer.
    Begin {
        /// The message.
        first: Frame,
        /// When it came.
        came: Instant,
    },
    /// One whose replica is gone.
    RunAgain {
        /// Which.
        key: TransactionKey,
        /// How that replica came to its end.
        reason: Arc<str>,
    },
}

impl Wish {
    fn bytes(&self) -> usize {
        match self {
            Self::Begin { first, .. } => first.bytes().len(),
            // What is kept of it is counted with what runs.
            Self::RunAgain { .. } => 0,
        }
    }
}

/// A wish, until there is somebody who can meet it.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Waiting {
    pub(crate) wish: Wish,
    until: Instant,
}

/// Those that wait, in the order of their coming. All wait equally long; when that changes, nobody for
/// longer than who came before.
#[derive(Default)]
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct WaitingLine {
    line: VecDeque<Waiting>,
    bytes: usize,
}

impl WaitingLine {
    /// Adds one that waits `until` then; gives it back where there is no place.
    pub(crate) fn join(&mut self, wish: Wish, until: Instant, limits: &Limits) -> Result<(), Wish> {
        // A message alone may be of any length that a message may have.
        let bytes = self.bytes + wish.bytes();
        let is_heavy = !self.line.is_empty() && bytes > limits.waiting_bytes;
        if is_heavy || self.line.len() >= limits.waiting {
            return Err(wish);
        }
        self.bytes = bytes;
        self.line.push_back(Waiting { wish, until });
        Ok(())
    }

    /// Has one wait on that was taken out of the line for having waited too long.
    pub(crate) fn extend(&mut self, wish: Wish, until: Instant) {
        self.rejoin(Waiting { wish, until });
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.line.len()
    }

    /// The first one, to be tried again; who still has to wait goes back by [`Self::put_back`].
    pub(crate) fn take_first(&mut self) -> Option<Waiting> {
        let first = self.line.pop_front()?;
        self.bytes -= first.wish.bytes();
        Some(first)
    }

    /// Puts those back before the others that were the first, in their order.
    pub(crate) fn put_back(&mut self, first: Vec<Waiting>) {
        for waiting in first.into_iter().rev() {
            self.bytes += waiting.wish.bytes();
            self.line.push_front(waiting);
        }
    }

    /// All of them, to be tried again; who still has to wait goes back by [`Self::rejoin`].
    pub(crate) fn take_all(&mut self) -> VecDeque<Waiting> {
        self.bytes = 0;
        std::mem::take(&mut self.line)
    }

    /// Puts one back behind the others, as it was.
    pub(crate) fn rejoin(&mut self, waiting: Waiting) {
        self.bytes += waiting.wish.bytes();
        self.line.push_back(waiting);
    }

    /// The first one, if it has waited for too long.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<Wish> {
        let overdue = self.line.pop_front_if(|waiting| waiting.until <= now)?;
        self.bytes -= overdue.wish.bytes();
        Some(overdue.wish)
    }

    /// Until when the first one waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.line.front().map(|waiting| waiting.until)
    }
}
