//! One transaction in flight: who has it, what it waits for, and how it ends.
//!
//! The law that it keeps: as long as the peer is at work on a request of a transaction, nothing
//! else of that transaction goes to the peer, neither another request nor an end. A peer drops
//! the second request silently (`core/chaincode/handler.go`, `registerTxid`), and an end closes
//! the iterators under the request, of which a peer can crash (fabric#5048). And what the peer
//! answers is the answer to the run that asked: none of a later run of the same transaction.

use std::time::Duration;

use tokio::time::Instant;

use crate::frame::{Frame, TransactionKey};
use crate::replica::ReplicaId;

/// A transaction from the peer's first message to the last answer that the peer owes to it.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// The peer's first message, which says what is to be run.
    first: Frame,
    began: Instant,
    /// Who runs it, or would read an answer; `None` when that replica is gone.
    replica: Option<ReplicaId>,
    /// How many requests went to the peer.
    requests: u32,
    /// Whether the peer has not answered the last of them yet.
    is_outstanding: bool,
    stage: Stage,
    interest: Interest,
}

/// How far it is.
#[derive(Debug)]
enum Stage {
    /// Its replica is at it.
    Running,
    /// It has ended with this message, which waits for the peer's answer to its last request.
    Ending(Frame),
    /// The peer was told of the end, or does not want to know: only an answer may be to come.
    Over,
}

/// Whether the peer waits for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    Awaited,
    /// The peer gave up after its execute timeout, of which it tells nobody. What still comes is
    /// passed on, in case that its timeout is longer.
    GivenUp,
    /// The peer has begun it anew: the end of this run must not be taken for that of the next.
    Superseded,
}

impl Transaction {
    /// It begins with the peer's message, on `replica`.
    pub(crate) fn new(first: Frame, replica: ReplicaId, now: Instant) -> Self {
        Self {
            first,
            began: now,
            replica: Some(replica),
            requests: 0,
            is_outstanding: false,
            stage: Stage::Running,
            interest: Interest::Awaited,
        }
    }

    pub(crate) fn key(&self) -> TransactionKey {
        self.first.transaction()
    }

    /// Whether `replica` may speak for it.
    pub(crate) fn is_run_by(&self, replica: ReplicaId) -> bool {
        self.replica == Some(replica) && matches!(self.stage, Stage::Running)
    }

    /// Who would read an answer of the peer.
    pub(crate) fn reader(&self) -> Option<ReplicaId> {
        self.replica
    }

    /// The replica on which it weighs: one is at it, and the peer waits for it.
    pub(crate) fn burdens(&self) -> Option<ReplicaId> {
        let is_running = matches!(self.stage, Stage::Running);
        self.replica.filter(|_| is_running && self.is_awaited())
    }

    /// Whether the peer waits for its end, as far as anyone can know.
    pub(crate) fn is_awaited(&self) -> bool {
        self.interest == Interest::Awaited && !matches!(self.stage, Stage::Over)
    }

    /// When the peer gives it up, which waits `limit` for it.
    pub(crate) fn deadline(&self, limit: Duration) -> Instant {
        self.began + limit
    }

    /// Its replica asks the peer for something; whether that may go to the peer now.
    pub(crate) fn ask(&mut self) -> bool {
        let may_go = !self.is_outstanding;
        if may_go {
            self.is_outstanding = true;
            self.requests += 1;
        }
        may_go
    }

    /// How many requests went to the peer.
    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }

    /// The peer answers a request; whether there was one.
    pub(crate) fn take_answer(&mut self) -> bool {
        std::mem::take(&mut self.is_outstanding)
    }

    /// It ends with this message for the peer. Not to be called twice.
    pub(crate) fn end(&mut self, end: Frame) {
        self.stage = match self.interest {
            Interest::Awaited | Interest::GivenUp => Stage::Ending(end),
            Interest::Superseded => Stage::Over,
        };
    }

    /// Its replica is gone; whether that is its end.
    pub(crate) fn lose_replica(&mut self, replica: ReplicaId) -> bool {
        if self.replica != Some(replica) {
            return false;
        }
        self.replica = None;
        if matches!(self.stage, Stage::Running) && self.interest == Interest::Awaited {
            return true;
        }
        if matches!(self.stage, Stage::Running) {
            self.stage = Stage::Over;
        }
        false
    }

    /// The message with which it ends, once the peer may be told.
    pub(crate) fn take_end(&mut self) -> Option<Frame> {
        if self.is_outstanding { None } else { self.take_held_end() }
    }

    /// The peer has given it up: it waits for nothing any more. Gives the end that was held.
    pub(crate) fn give_up(&mut self) -> Option<Frame> {
        self.interest = Interest::GivenUp;
        self.take_held_end()
    }

    /// The peer has begun it anew.
    pub(crate) fn supersede(&mut self) {
        self.interest = Interest::Superseded;
        if matches!(self.stage, Stage::Ending(_)) {
            self.stage = Stage::Over;
        }
    }

    /// Whether the peer wants to begin it anew.
    pub(crate) fn is_superseded(&self) -> bool {
        self.interest == Interest::Superseded
    }

    /// Whether nothing of it is left, neither here nor at the peer.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Over) && !self.is_outstanding
    }

    fn take_held_end(&mut self) -> Option<Frame> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Ending(end) => Some(end),
            other => {
                self.stage = other;
                None
            }
        }
    }
}
