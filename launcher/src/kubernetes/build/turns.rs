//! One build of a source at a time within this launcher; different sources do not wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use selvedge_buildpack::image::BuildKey;
use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Who builds what.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<BuildKey, Weak<Turn>>>);

impl Turns {
    /// Waits until nobody else here builds it, and keeps others from it until dropped.
    pub(super) async fn take(&self, key: BuildKey) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(&key).and_then(Weak::upgrade);
            let turn = known.unwrap_or_default();
            turns.insert(key, Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use selvedge_buildpack::digest::Sha256;
    use selvedge_buildpack::image::BuildKeyInputs;
    use selvedge_buildpack::platform::Platform;

    use super::*;

    fn key(source: &[u8]) -> BuildKey {
        BuildKey::new(&BuildKeyInputs {
            source: Sha256::of(source),
            recipe: &[],
            toolchain: "go",
            base: Sha256::of(b"base"),
            platform: Platform::LinuxAmd64,
        })
    }

    #[tokio::test]
    async fn the_same_waits_another_does_not() {
        let turns = Turns::default();
        let first = turns.take(key(b"one")).await;
        let other = turns.take(key(b"two")).await;
        let mut again = std::pin::pin!(turns.take(key(b"one")));
        assert!(futures_pending(again.as_mut()).await);
        drop(first);
        drop(again.await);
        drop(other);
        drop(turns.take(key(b"three")).await);
        assert_eq!(turns.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }

    async fn futures_pending(future: std::pin::Pin<&mut impl Future>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = std::future::ready(()) => true,
        }
    }
}
