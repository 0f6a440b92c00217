//! That a run is to end, and what for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Says that a run is to end, to all who have it.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    told: CancellationToken,
    is_unwanted: Arc<AtomicBool>,
}

impl Stop {
    /// The run is to end; another may follow it, of the same chaincode for the same peer.
    pub(crate) fn end(&self) {
        self.told.cancel();
    }

    /// The run is to end, since its peer wants the chaincode no more.
    pub(crate) fn end_unwanted(&self) {
        self.is_unwanted.store(true, Ordering::Release);
        self.told.cancel();
    }

    /// Whether the peer has said that it wants the chaincode no more.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.is_unwanted.load(Ordering::Acquire)
    }

    /// Returns once the run is to end.
    pub(crate) async fn told(&self) {
        self.told.cancelled().await;
    }

    /// Whether the run is to end.
    pub(crate) fn is_told(&self) -> bool {
        self.told.is_cancelled()
    }
}
