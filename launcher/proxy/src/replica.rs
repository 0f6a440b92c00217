//! A registered replica, as the switch knows it.

use std::task::Waker;

use tokio::time::Instant;

use crate::backlog::Backlog;
use crate::frame::Frame;
use crate::identity::{Credential, Origin, ReplicaPlace};
use crate::limits::Limits;
use crate::on_demand::Term;

/// A replica's number, in the order of connection.
pub(crate) type ReplicaId = u64;

/// Messages that may wait for a replica. More than a peer has transactions in flight
/// (core.yaml, `limits.concurrency.endorserService`: 2,500).
const MESSAGES: usize = 4096;

/// Where a replica is, and whose it is: replicas that have this in common nobody can tell from one
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The machine or pod that it connects from, or is dialled at, and its seat.
    pub(crate) origin: Origin,
    /// What it has shown.
    pub(crate) credential: Credential,
}

/// Where a replica is, and how it is told that there is something for it.
#[derive(Clone)]
pub(crate) struct ReplicaLink {
    pub(crate) place: Place,
    /// Which of its set it is.
    pub(crate) seat: ReplicaPlace,
    /// Wakes its connection.
    pub(crate) waker: Waker,
}

/// One that was admitted.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Replica {
    link: ReplicaLink,
    /// What it has not been sent yet.
    outbox: Backlog,
    /// How many transactions weigh on it.
    pub(crate) in_flight: usize,
    /// When it last was given a transaction, in transactions given so far.
    pub(crate) last_given: u64,
    /// How many of its requests the peer is at.
    outstanding: usize,
    /// About how long the longest answers are that it gets, in bytes.
    answer: usize,
    pub(crate) standing: Standing,
    /// It answers nothing: it may hang, or be at work with the one thread that it has.
    pub(crate) is_silent: bool,
    /// What it gets, if it is there on demand.
    pub(crate) term: Option<Term>,
}

/// Whether a replica gets transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// It is to go, and gets what no other one can have.
    Leaving,
    /// Not until then.
    Barred(Instant),
    /// Never again.
    Retired,
}

impl Replica {
    pub(crate) fn new(link: ReplicaLink, standing: Standing, term: Option<Term>) -> Self {
        Self {
            link,
            outbox: Backlog::default(),
            in_flight: 0,
            last_given: 0,
            outstanding: 0,
            answer: 0,
            standing,
            is_silent: false,
            term,
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.link.place
    }

    pub(crate) fn credential(&self) -> Credential {
        self.link.place.credential
    }

    pub(crate) fn seat(&self) -> ReplicaPlace {
        self.link.seat
    }

    /// Whether it has room for one more transaction.
    pub(crate) fn has_room(&self) -> bool {
        self.term.as_ref().is_none_or(|term| term.room(self.in_flight) > 0)
    }

    /// Who gets the next transaction: the first by this order. Of those that are to stay the one with
    /// the fewest in flight; of those that are there on demand the one with the least room, so that
    /// others may go.
    pub(crate) fn rank(&self) -> (bool, bool, usize, u64) {
        let is_leaving = self.standing == Standing::Leaving;
        let (load, turn) = match &self.term {
            None => (self.in_flight, self.last_given),
            Some(term) => (term.room(self.in_flight), u64::MAX - self.last_given),
        };
        (self.is_silent, is_leaving, load, turn)
    }

    /// Whether it gets transactions now, if it has room, be it only what no other one can have.
    pub(crate) fn takes(&self) -> bool {
        matches!(self.standing, Standing::Good | Standing::Leaving)
    }

    /// Whether it gets transactions, be it later, and is not to go.
    pub(crate) fn stays(&self) -> bool {
        matches!(self.standing, Standing::Good | Standing::Barred(_))
    }

    /// It is to go, and stands like this until then.
    pub(crate) fn leave(&mut self, standing: Standing) {
        self.standing = match self.standing {
            Standing::Good | Standing::Leaving => standing,
            // Nobody waits for the end of its bar.
            Standing::Barred(_) | Standing::Retired => Standing::Retired,
        };
    }

    /// When it gets transactions again, if it is barred.
    pub(crate) fn end_of_bar(&self) -> Option<Instant> {
        match self.standing {
            Standing::Barred(until) => Some(until),
            Standing::Good | Standing::Leaving | Standing::Retired => None,
        }
    }

    /// Wakes its connection.
    pub(crate) fn wake(&self) {
        self.link.waker.wake_by_ref();
    }

    /// Keeps a message for it.
    pub(crate) fn send(&mut self, frame: Frame) {
        self.outbox.push_back(frame);
        self.wake();
    }

    /// Whether more waits for it than may.
    pub(crate) fn is_overrun(&self, limits: &Limits) -> bool {
        // One that has just come gets all that waited at once.
        self.outbox.len() > MESSAGES + limits.waiting || self.outbox.bytes() > limits.replica_bytes
    }

    /// The next message for it.
    pub(crate) fn take_next(&mut self) -> Option<Frame> {
        self.outbox.pop_front()
    }

    /// How many bytes wait for it.
    pub(crate) fn unread(&self) -> usize {
        self.outbox.bytes()
    }

    /// One of its requests went to the peer.
    pub(crate) fn asked(&mut self) {
        self.outstanding += 1;
    }

    /// The peer has answered one, with so many bytes.
    pub(crate) fn answered(&mut self, bytes: usize) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.answer = bytes.max(self.answer - self.answer / 8);
    }

    /// Whether it may ask for more: what it has asked for has to find room until it reads it.
    pub(crate) fn may_ask(&self, limits: &Limits) -> bool {
        let to_come = self.answer.saturating_mul(self.outstanding + 1);
        let is_idle = self.outstanding == 0 && self.outbox.is_empty();
        is_idle || self.outbox.bytes() + to_come <= limits.answers
    }
}
