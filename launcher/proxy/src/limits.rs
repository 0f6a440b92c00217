//! The bounds within which the proxy works.

use std::time::Duration;

/// Bounds on sizes, counts and waits; [`Default`] gives those that fit an unchanged peer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest message in bytes, either way. A peer's own limit is 100 MiB
    /// (`internal/pkg/comm/config.go`), and it ends the stream on a longer one.
    pub message: usize,
    /// How long the peer may take to accept the registration.
    pub registration: Duration,
    /// How long a replica that connected may take to send `REGISTER`.
    pub first_message: Duration,
    /// How long a transaction waits for a replica before it is answered with an error. Short: a
    /// transaction that waits holds up its whole channel on that peer, since the endorser holds
    /// the lock that the next block needs (`core/endorser/endorser.go`, `lockbased_txmgr.go`).
    pub replica_wait: Duration,
    /// After which time the peer gives a transaction up without telling anyone: its
    /// `chaincode.executetimeout` (core.yaml, 30 s).
    pub execution: Duration,
    /// Whether a transaction whose replica ends is run once more on another one: what the first
    /// run asked is answered as it was then, so that the peer is asked nothing twice.
    pub replay: bool,
    /// What is kept for that of one transaction, in bytes: the peer's first message and its
    /// answers. One that gets more is not run again, nor one that makes a longer request.
    pub journal: usize,
    /// What is kept for that of all of them.
    pub journals: usize,
    /// How many transactions wait for a replica at once.
    pub waiting: usize,
    /// How long they may be together, in bytes; one alone may be longer.
    pub waiting_bytes: usize,
    /// How many replicas with one credential are registered at once. Of all together twice as many
    /// may be: those that are there, and those that are to replace them.
    pub replicas: usize,
    /// How many bytes wait for one replica before it is cut off: more than the longest message.
    pub replica_bytes: usize,
    /// How many bytes wait for all replicas before the one that reads the least is cut off.
    pub chaincode_bytes: usize,
    /// Up to how many bytes of answers a replica may ask for without reading them.
    pub answers: usize,
    /// How many bytes of long messages may have come of replicas that are not there as a whole:
    /// no less than one message.
    pub unfinished: usize,
    /// How long a replica may take nothing of what is sent to it, or send nothing more of a long
    /// message that it has begun.
    pub standstill: Duration,
}

impl Limits {
    /// How many replicas are registered at once, whatever their credential.
    pub(crate) fn all_replicas(&self) -> usize {
        self.replicas.saturating_mul(2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 100 << 20,
            registration: Duration::from_secs(10),
            first_message: Duration::from_secs(10),
            replica_wait: Duration::from_secs(2),
            execution: Duration::from_secs(30),
            replay: true,
            journal: 256 << 10,
            journals: 16 << 20,
            // A peer runs at most 2,500 proposals at once (core.yaml, limits.concurrency.endorserService).
            waiting: 4096,
            waiting_bytes: 32 << 20,
            replicas: 64,
            replica_bytes: 128 << 20,
            chaincode_bytes: 192 << 20,
            answers: 16 << 20,
            unfinished: 100 << 20,
            standstill: Duration::from_secs(10),
        }
    }
}
