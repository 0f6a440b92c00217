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
    /// How long a transaction waits for a replica before it is answered with an
    /// error: shorter than the peer's `chaincode.executetimeout` (30 s), so that
    /// the client gets the reason and not a timeout.
    pub replica_wait: Duration,
    /// How many transactions wait for a replica at once.
    pub waiting: usize,
    /// How many replicas are connected at once.
    pub replicas: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 100 << 20,
            registration: Duration::from_secs(10),
            first_message: Duration::from_secs(10),
            replica_wait: Duration::from_secs(20),
            // A peer runs at most 2,500 proposals at once (core.yaml, limits.concurrency.endorserService).
            waiting: 4096,
            replicas: 64,
        }
    }
}
