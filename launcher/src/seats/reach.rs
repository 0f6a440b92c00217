//! Seats that come and go, and that orders reach or do not: those of pods, of which each has its keeper.

use tokio::time::Instant;

use super::{End, LINGER, Seats, Stage, Why};
use crate::backend::ReplicaExit;

/// How one ended whose end nobody has seen.
const UNSEEN: &str = "it ended";

/// What is found in a seat that orders reach from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No process.
    Nothing,
    /// One that nobody waits for any more.
    Forgotten,
    /// One that is to register.
    Beginner,
}

impl Seats {
    /// Adds one that no order reaches yet, and that is free as far as is known.
    pub(crate) fn add(&mut self) -> usize {
        self.stages.push(Stage::Free);
        self.reached.push(false);
        self.stages.len() - 1
    }

    /// Orders reach a seat from now on, in which this was found. What was ordered before may have been
    /// lost.
    pub(crate) fn reach(&mut self, seat: usize, found: Found, now: Instant) {
        let was_reached = std::mem::replace(&mut self.reached[seat], true);
        match (&mut self.stages[seat], found) {
            (Stage::Free, Found::Nothing) if !was_reached => self.free.push_back(seat),
            (Stage::Free, Found::Forgotten) => {
                let until = Some(now + LINGER);
                self.free.retain(|free| *free != seat);
                self.stages[seat] = Stage::Leaving { since: now, why: Why::Forgotten, until };
            }
            (Stage::Free, Found::Beginner) => {
                self.free.retain(|free| *free != seat);
                self.stages[seat] = Stage::Starting { since: now };
            }
            (Stage::Starting { .. }, Found::Nothing) => self.clear(seat),
            (Stage::Registered { .. } | Stage::Leaving { .. }, Found::Nothing) => {
                let exit = ReplicaExit { status: UNSEEN.to_owned(), last_lines: Vec::new() };
                self.ended(seat, End { exit, is_well: true }, now);
            }
            (Stage::Leaving { until: until @ None, .. }, _) => *until = Some(now),
            // It is known already.
            (
                Stage::Free
                | Stage::Starting { .. }
                | Stage::Ended { .. }
                | Stage::Registered { .. }
                | Stage::Leaving { .. },
                _,
            ) => {}
        }
    }

    /// Orders reach a seat no more.
    pub(crate) fn lose(&mut self, seat: usize) {
        self.reached[seat] = false;
        self.free.retain(|free| *free != seat);
    }

    /// A seat is no more; whether its process had registered, which may be for a while. The seat may
    /// be another one's from now on.
    pub(crate) fn vacate(&mut self, seat: usize) -> bool {
        self.lose(seat);
        let stage = std::mem::replace(&mut self.stages[seat], Stage::Free);
        matches!(stage, Stage::Registered { .. })
    }

    /// Whether a process may be in a seat, as far as is known.
    pub(crate) fn is_taken(&self, seat: usize) -> bool {
        !matches!(self.stages[seat], Stage::Free)
    }

    /// The process of a seat that was just added has registered already, with so many streams.
    pub(crate) fn take_in(&mut self, seat: usize, streams: u32, now: Instant) {
        self.stages[seat] = Stage::Registered { since: now, streams, end: None };
    }

    /// So many processes have registered that have no seat.
    pub(crate) fn are_elsewhere(&mut self, number: usize) {
        self.elsewhere = number;
    }

    /// The proxy has met a process that has no seat. How many are wanted then, it says next.
    pub(crate) fn met_elsewhere(&mut self) {
        self.is_current = false;
    }

    /// No seat gets free soon, for this reason, or for none that is known.
    pub(crate) fn hinder(&mut self, reason: Option<String>) {
        self.hindrance = reason;
    }

    /// Whether a process is there, or could be started.
    pub(crate) fn is_of_use(&self) -> bool {
        self.present() > 0 || !self.free.is_empty()
    }
}
