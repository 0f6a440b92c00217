//! What the proxy tells the one who started it.

use std::net::SocketAddr;
use std::time::SystemTime;

use crate::identity::{Credential, ReplicaPlace};

/// Something that happened to a chaincode's link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer takes the chaincode as ready.
    Ready,
    /// A replica is registered and gets transactions from now on.
    ReplicaReady {
        /// The replica's number, in the order of connection.
        replica: u64,
        /// What it has shown.
        credential: Credential,
        /// Which of its set it is.
        place: ReplicaPlace,
    },
    /// A replica that was there on demand has had its calls, or nothing to do for a while: its stream
    /// was ended, with nothing in flight. No loss.
    ReplicaReleased {
        /// The replica's number.
        replica: u64,
        /// What it has shown.
        credential: Credential,
        /// Which of its set it is.
        place: ReplicaPlace,
    },
    /// So many replicas are to be there on demand now. Told when that changes, and after each event
    /// that changes how many there are, in the order of events; what was not heard of yet when the
    /// next one is told is not told any more.
    Wanted {
        /// What they have to show.
        credential: Credential,
        /// How many: those that are registered, and those that are to come.
        processes: usize,
    },
    /// A replica's stream has ended.
    ReplicaGone {
        /// The replica's number.
        replica: u64,
        /// What it has shown.
        credential: Credential,
        /// How the stream ended.
        reason: String,
        /// What became of the transactions that were in flight.
        fates: Fates,
    },
    /// A replica was given up that answers nothing; its process may be there all the same.
    ReplicaHung {
        /// The replica's number.
        replica: u64,
        /// What it has shown.
        credential: Credential,
        /// For how long.
        reason: String,
        /// What became of the transactions that were in flight.
        fates: Fates,
    },
    /// A replica that is dialled has not been there for a while; it is dialled again and again.
    ReplicaUnreached {
        /// Where.
        address: SocketAddr,
        /// What it is to show.
        credential: Credential,
        /// What came of the last attempt.
        reason: String,
    },
    /// A replica broke the protocol and was cut off, or what was dialled is none. The latter is told
    /// once, until something else comes of it.
    ReplicaCutOff {
        /// The replica's number.
        replica: u64,
        /// What it has shown.
        credential: Credential,
        /// What it did.
        reason: String,
        /// What became of the transactions that were in flight.
        fates: Fates,
    },
    /// A transaction was run again after its replica had ended, and asked for something else than
    /// before: the chaincode is not deterministic. It was answered with an error.
    TransactionDiffered {
        /// The channel's name.
        channel: String,
        /// The transaction's ID.
        transaction: String,
        /// How many did so far.
        number: u64,
    },
    /// The stream of a replica that is to go has ended, in whatever way: no loss.
    ReplicaLeft {
        /// The replica's number.
        replica: u64,
        /// What it has shown.
        credential: Credential,
        /// How the stream ended.
        reason: String,
        /// What became of the transactions that were in flight.
        fates: Fates,
    },
    /// Replicas with this credential have nothing in flight any more, and never will: they may go.
    Retired {
        /// What was retired.
        credential: Credential,
        /// How many transactions were ended with an error since the limit was reached.
        answered: usize,
    },
    /// More replicas were lost than can be told of one by one; none of these was told of as ready.
    ReplicasLost {
        /// How many.
        number: u64,
    },
    /// The link is over; the last event.
    Ended {
        /// Why, in one line.
        reason: String,
        /// Whether the peer took the chaincode as ready before.
        was_ready: bool,
    },
}

/// What becomes of the transactions that a replica had in flight when it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// How many were answered with an error.
    pub answered: usize,
    /// How many are run again on another replica.
    pub run_again: usize,
}

/// An event, with the time at which it happened: it may be heard of later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}
