//! One transaction in flight: who has it, what it waits for, and how it ends.
//!
//! The law that it keeps: as long as the peer is at work on a request of a transaction, nothing
//! else of that transaction goes to the peer, neither another request nor an end. A peer drops
//! the second request silently (`core/chaincode/handler.go`, `registerTxid`), and an end closes
//! the iterators under the request, of which a peer can crash (fabric#5048). Nor does an end go to
//! the peer as long as iterators are open there (`iterators.rs`). And what the peer answers is the
//! answer to the run that asked: none of a later run of the same transaction.
//!
//! When its replica dies it is run once more, on another one, from its journal (`replay.rs`), and
//! no third time.

use std::time::Duration;

use tokio::time::Instant;

use crate::course::{Course, Once};
use crate::frame::{Frame, TransactionKey};
use crate::iterators::{Iterators, is_query};
use crate::replay::Repeated;
use crate::replica::ReplicaId;

/// A transaction from the peer's first message to the last answer that the peer owes to it.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Transaction {
    key: TransactionKey,
    began: Instant,
    /// Whether it can be run again, and by what; nothing is kept of what was given up: its
    /// chaincode may never end.
    course: Course,
    /// Who runs it, or would read an answer; `None` when that replica is gone.
    replica: Option<ReplicaId>,
    /// How many requests went to the peer.
    requests: u32,
    outstanding: Outstanding,
    /// What those left open.
    iterators: Iterators,
    stage: Stage,
    /// Whether the replica's thread goes on, although the run was ended without it. What that still
    /// says must not be taken for the words of a next run.
    lingers: bool,
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

/// What becomes of what a replica asks.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It goes to the peer.
    ForPeer(Frame),
    /// The peer has answered it before, with this.
    Answered(Frame),
    /// The peer is at work on another request.
    TooSoon,
    /// An earlier run asked something else here.
    Differs,
}

/// What it means that a replica is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing, or nothing any more.
    None,
    /// The transaction is to be run again.
    RunAgain,
    /// It is to be ended, as it cannot be run again for this reason.
    End(Once),
}

/// Whether it can be given to a replica again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It has not lost its replica, or nobody waits for it.
    Unwanted,
    /// Not before the peer has answered what the replica that is gone has asked.
    NotYet,
    Ready,
    /// It never can, for this reason.
    Never(Once),
}

/// How far it is.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
enum Stage {
    /// A replica is at it, or is to be.
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
    /// It begins with the peer's message, which came then, on `replica`.
    pub(crate) fn new(first: &Frame, course: Course, replica: ReplicaId, came: Instant) -> Self {
        Self {
            key: first.transaction().apart(),
            began: came,
            course,
            replica: Some(replica),
            requests: 0,
            outstanding: Outstanding::Nothing,
            iterators: Iterators::default(),
            stage: Stage::Running,
            lingers: false,
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

    /// Whether `replica` may ask the peer for something: not once the peer has begun the transaction
    /// anew, which would take it for the next run's, and put what it reads and writes with that.
    pub(crate) fn may_ask(&self, replica: ReplicaId) -> bool {
        self.is_run_by(replica) && self.interest != Interest::Superseded
    }

    /// The replica on which it weighs: one is at it, and the peer waits for it.
    pub(crate) fn burdens(&self) -> Option<ReplicaId> {
        self.runner().filter(|_| self.is_awaited())
    }

    /// Whether the peer waits for its end, as far as anyone can know.
    pub(crate) fn is_awaited(&self) -> bool {
        self.interest == Interest::Awaited && !matches!(self.stage, Stage::Over)
    }

    /// For how long the peer has waited for it.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// When the peer gives it up, which waits `limit` for it.
    pub(crate) fn deadline(&self, limit: Duration) -> Instant {
        self.began + limit
    }

    /// What is kept for a second run of it, in bytes.
    pub(crate) fn journal(&self) -> usize {
        self.course.journal()
    }

    /// It cannot be run again, for this reason.
    pub(crate) fn forget_journal(&mut self, reason: Once) {
        self.course = Course::Once(reason);
    }

    /// Its replica asks the peer for something.
    pub(crate) fn ask(&mut self, request: Frame) -> Asked {
        if self.outstanding != Outstanding::Nothing {
            return Asked::TooSoon;
        }
        match self.course.ask(request) {
            Repeated::Answered(answer) => Asked::Answered(answer),
            Repeated::Differs => Asked::Differs,
            Repeated::Beyond(request) => {
                self.outstanding = Outstanding::Request { is_query: is_query(request.kind()) };
                self.requests += 1;
                Asked::ForPeer(request)
            }
        }
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
                self.course.answer(answer);
                Some(self.replica.map_or(Reader::Nobody, Reader::Replica))
            }
        }
    }

    /// Its replica says that it has ended, with this message for the peer; of a run that was ended
    /// before, that its thread is over.
    pub(crate) fn replica_ends(&mut self, end: Frame) {
        if matches!(self.stage, Stage::Running) {
            self.end(end);
        }
        self.lingers = false;
    }

    /// It is ended with this message, while its replica is at it.
    pub(crate) fn cut_short(&mut self, end: Frame) {
        self.end(end);
        self.lingers = true;
    }

    /// It ends with this message for the peer. Not to be called twice.
    pub(crate) fn end(&mut self, end: Frame) {
        self.stage = match self.interest {
            Interest::Awaited | Interest::GivenUp => Stage::Ending(end),
            Interest::Superseded => Stage::Over,
        };
        self.forget_journal(Once::Ended);
    }

    /// Whether it would end without having done all that it did before its first replica died.
    pub(crate) fn ends_too_soon(&self) -> bool {
        self.course.is_amidst()
    }

    /// Whether this replica runs it, or would read an answer.
    pub(crate) fn is_with(&self, replica: ReplicaId) -> bool {
        self.replica == Some(replica)
    }

    /// Its replica is gone. What keeps one more transaction from being run again is asked only where
    /// this one can be.
    pub(crate) fn lose_replica(&mut self, obstacle: impl FnOnce() -> Option<Once>) -> Loss {
        (self.replica, self.lingers) = (None, false);
        if !matches!(self.stage, Stage::Running) {
            return Loss::None;
        }
        if self.interest != Interest::Awaited {
            self.stage = Stage::Over;
            return Loss::None;
        }
        self.course.obstacle().or_else(obstacle).map_or(Loss::RunAgain, Loss::End)
    }

    /// Whether it can be given to a replica again.
    pub(crate) fn readiness(&self) -> Readiness {
        let is_orphan = matches!(self.stage, Stage::Running) && self.replica.is_none();
        if !is_orphan || self.interest != Interest::Awaited {
            return Readiness::Unwanted;
        }
        match self.course.obstacle() {
            Some(reason) => Readiness::Never(reason),
            None if self.outstanding != Outstanding::Nothing => Readiness::NotYet,
            None => Readiness::Ready,
        }
    }

    /// It is run again by this replica, which is to be sent what this gives. Only if it is ready.
    pub(crate) fn run_again(&mut self, replica: ReplicaId) -> Option<Frame> {
        let first = self.course.run_again()?;
        self.replica = Some(replica);
        Some(first)
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
        self.is_of_no_use();
        self.take_held_end()
    }

    /// The peer has begun it anew.
    pub(crate) fn supersede(&mut self) {
        self.interest = Interest::Superseded;
        self.is_of_no_use();
        if matches!(self.stage, Stage::Ending(_)) {
            self.stage = Stage::Over;
        }
    }

    /// Nobody waits for it any more: it is not run again, nor for that kept.
    fn is_of_no_use(&mut self) {
        self.forget_journal(Once::Ended);
        if matches!(self.stage, Stage::Running) && self.replica.is_none() {
            self.stage = Stage::Over;
        }
    }

    /// Whether who waits for this one may go on: the peer, which has begun it anew, or its next
    /// replica.
    pub(crate) fn lets_go_on(&self) -> bool {
        match self.interest {
            Interest::Superseded => self.is_done(),
            _ => matches!(self.readiness(), Readiness::Ready | Readiness::Never(_)),
        }
    }

    /// Whether nothing of it is left, neither here, nor at its replica, nor at the peer.
    pub(crate) fn is_done(&self) -> bool {
        let is_over = matches!(self.stage, Stage::Over) && !self.lingers;
        is_over && self.outstanding == Outstanding::Nothing
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
