//! One transaction in flight: who has it, what it waits for, and how it ends.
//!
//! The law that it keeps: as long as the peer is at work on a request of a transaction, nothing
//! else of that transaction goes to the peer, neither another request nor an end. A peer drops
//! the second request silently (`core/chaincode/handler.go`, `registerTxid`), and an end closes
//! the iterators under the request, of which a peer can crash (fabric#5048). Nor does an end go to
//! the peer as long as iterators are open there (`iterators.rs`). And what the peer answers is the
//! answer to the run that asked: none of a later run of the same transaction.

use std::time::Duration;

use tokio::time::Instant;

use crate::frame::{Frame, TransactionKey};
use crate::iterators::{Iterators, is_query};
use crate::replica::ReplicaId;

/// A transaction from the peer's first message to the last answer that the peer owes to it.
#[derive(Debug)]
pub(crate) struct Transaction {
    key: TransactionKey,
    /// The peer's first message, which says what is to be run; not kept for what was given up: it
    /// may be long, and its chaincode may never end.
    first: Option<Frame>,
    began: Instant,
    /// Who runs it, or would read an answer; `None` when that replica is gone.
    replica: Option<ReplicaId>,
    /// How many requests went to the peer.
    requests: u32,
    outstanding: Outstanding,
    /// What those left open.
    iterators: Iterators,
    stage: Stage,
    interest: Interest,
}

/// What the peer is at work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outstanding {
    Nothing,
    /// The replica's last request, and whether the answer tells of an iterator.
    Request {
        is_query: bool,
    },
    /// The closing of an iterator, of which the replica knows nothing.
    Closing,
}

/// Who reads an answer of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Replica(ReplicaId),
    /// Who asked is gone, or it was the proxy.
    Nobody,
}

/// How far it is.
#[derive(Debug)]
enum Stage {
    /// Its replica is at it.
    Running,
    /// It has ended with this message, which waits for the peer's answer to its last request, and
    /// until nothing of it is open.
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
            key: first.transaction().apart(),
            first: Some(first),
            began: now,
            replica: Some(replica),
            requests: 0,
            outstanding: Outstanding::Nothing,
            iterators: Iterators::default(),
            stage: Stage::Running,
            interest: Interest::Awaited,
        }
    }

    pub(crate) fn key(&self) -> &TransactionKey {
        &self.key
    }

    /// Who runs it.
    pub(crate) fn runner(&self) -> Option<ReplicaId> {
        self.replica.filter(|_| matches!(self.stage, Stage::Running))
    }

    /// Whether `replica` may speak for it.
    pub(crate) fn is_run_by(&self, replica: ReplicaId) -> bool {
        self.runner() == Some(replica)
    }

    /// The replica on which it weighs: one is at it, and the peer waits for it.
    pub(crate) fn burdens(&self) -> Option<ReplicaId> {
        self.runner().filter(|_| self.is_awaited())
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
    pub(crate) fn ask(&mut self, request: &Frame) -> bool {
        let may_go = self.outstanding == Outstanding::Nothing;
        if may_go {
            self.outstanding = Outstanding::Request { is_query: is_query(request.kind()) };
            self.requests += 1;
        }
        may_go
    }

    /// How many requests went to the peer.
    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }

    /// The peer answers; who reads that, if anything was asked.
    pub(crate) fn take_answer(&mut self, answer: &Frame) -> Option<Reader> {
        match std::mem::replace(&mut self.outstanding, Outstanding::Nothing) {
            Outstanding::Nothing => None,
            Outstanding::Closing => Some(Reader::Nobody),
            Outstanding::Request { is_query } => {
                if is_query {
                    self.iterators.learn(answer);
                }
                Some(self.replica.map_or(Reader::Nobody, Reader::Replica))
            }
        }
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

    /// What goes to the peer next for it to come to an end, once it may: what closes an iterator,
    /// and when nothing is open any more the end.
    pub(crate) fn proceed(&mut self) -> Option<Frame> {
        if self.outstanding != Outstanding::Nothing || !matches!(self.stage, Stage::Ending(_)) {
            return None;
        }
        if let Some(id) = self.iterators.take() {
            self.outstanding = Outstanding::Closing;
            return Some(Frame::close_iterator(&self.key, id));
        }
        self.take_held_end()
    }

    /// The peer has given it up: it waits for nothing any more. Gives the end that was held.
    pub(crate) fn give_up(&mut self) -> Option<Frame> {
        self.interest = Interest::GivenUp;
        self.first = None;
        self.take_held_end()
    }

    /// The peer has begun it anew.
    pub(crate) fn supersede(&mut self) {
        self.interest = Interest::Superseded;
        self.first = None;
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
        matches!(self.stage, Stage::Over) && self.outstanding == Outstanding::Nothing
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
