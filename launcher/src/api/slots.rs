//! How many builds go on at once. The others wait before anything of theirs is on disk: a large
//! source and its image fill a good part of the launcher's volume, and a volume that is too full
//! ends the pod, the peer's with it.

use std::num::NonZeroU16;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for builds.
pub(super) struct Slots {
    number: NonZeroU16,
    free: Arc<Semaphore>,
}

impl Slots {
    pub(super) fn new(number: NonZeroU16) -> Self {
        Self { number, free: Arc::new(Semaphore::new(usize::from(number.get()))) }
    }

    /// Waits for a place, which is free again when what this returns is dropped. Who has to wait
    /// is told, by `tell`. First come, first served.
    pub(super) async fn take(&self, tell: impl Fn(String)) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(slot);
        }
        tell(format!(
            "the launcher builds as much as it may at once (builds.parallel={}): waiting for a \
             build to end",
            self.number
        ));
        // Nobody closes it.
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}
