//! A namespace in which the peer's chaincode runs, and what goes on there for all of it.

use std::sync::Arc;

use super::adopted::Adopted;
use super::ground::Ground;
use super::lease::Lease;
use super::observed::Observed;

/// One namespace, as long as anybody has the place.
#[derive(Clone)]
pub(crate) struct Place {
    /// The cluster, as seen from there.
    pub(crate) ground: Arc<Ground>,
    /// What is there of the peer's.
    pub(crate) observed: Arc<Observed>,
    /// That no other launcher works there for the same peer.
    pub(crate) lease: Arc<Lease>,
    /// Whose the objects there are.
    pub(crate) adopted: Arc<Adopted>,
}

impl Place {
    /// Begins to watch, and asks for the peer's lease.
    pub(crate) fn take(ground: Arc<Ground>) -> Self {
        Self {
            observed: Arc::new(Observed::start(&ground)),
            lease: Arc::new(Lease::hold(Arc::clone(&ground))),
            adopted: Arc::default(),
            ground,
        }
    }
}
