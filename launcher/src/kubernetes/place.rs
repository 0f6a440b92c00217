//! A namespace in which the peer's chaincode runs, and what goes on there for all of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use super::adopted::Adopted;
use super::ground::Ground;
use super::lease::Lease;
use super::objects::scale_to_zero;
use super::observed::Observed;
use crate::error_chain::one_line;

/// What ending those may take that await another run: a pod has little more for everything.
const END: Duration = Duration::from_secs(2);

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
    /// Ends what awaits another run, if none can come, and gives the lease back.
    pub(crate) async fn release(&self) {
        if timeout(END, self.end_awaiting()).await.is_err() {
            warn!("what the peer's chaincode has left may run until another launcher ends it");
        }
        self.lease.release().await;
    }

    /// What runs on for the launcher that follows has no use when the peer goes with its pod. A pod
    /// that takes its place has another address, and its launcher begins anew.
    async fn end_awaiting(&self) {
        let awaiting = self.adopted.awaiting();
        if awaiting.is_empty() || !self.ground.is_leaving().await {
            return;
        }
        for (name, _) in awaiting {
            if let Ok(Err(failure)) = self.lease.act(scale_to_zero(&self.ground, &name)).await {
                warn!(name, reason = one_line(&failure), "cannot scale to zero");
            }
        }
    }
}
