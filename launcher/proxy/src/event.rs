//! What the proxy tells the one who started it.

use std::time::SystemTime;

/// Something that happened to a chaincode's link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer takes the chaincode as ready.
    Ready,
    /// A replica is registered and gets transactions from now on.
    ReplicaReady {
        /// The replica's number, in the order of connection.
        replica: u64,
    },
    /// A replica's stream has ended.
    ReplicaGone {
        /// The replica's number.
        replica: u64,
        /// How the stream ended.
        reason: String,
        /// How many transactions were in flight; each was answered with an error.
        answered: usize,
    },
    /// A replica broke the protocol and was cut off.
    ReplicaCutOff {
        /// The replica's number.
        replica: u64,
        /// What it did.
        reason: String,
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

/// An event, with the time at which it happened: it may be heard of later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}
