//! Which chaincodes run: at most one run of a package for a peer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What one run is known by: the package, and the peer that it is for.
pub(crate) type RunKey = (String, String);

/// The runs of this launcher.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    closed: bool,
    entries: HashMap<RunKey, Entry>,
}

#[derive(Clone, Default)]
struct Entry {
    stop: CancellationToken,
    done: CancellationToken,
}

/// A run's place; frees it when dropped.
pub(crate) struct RunSlot {
    running: Running,
    key: RunKey,
    entry: Entry,
}

/// The launcher takes no more runs.
#[derive(Debug, thiserror::Error)]
#[error("the launcher is stopping")]
pub(crate) struct Closed;

impl Running {
    /// Takes the place of a run, after an earlier run of the same key has ended.
    ///
    /// A peer starts a chaincode anew beside a `run` that did not end
    /// (`core/chaincode/runtime_launcher.go`), but has one handler for it: the
    /// earlier one is asked to stop.
    pub(crate) async fn begin(&self, key: RunKey) -> Result<RunSlot, Closed> {
        loop {
            let earlier = {
                let mut runs = self.lock();
                if runs.closed {
                    return Err(Closed);
                }
                if let Some(earlier) = runs.entries.get(&key) {
                    earlier.clone()
                } else {
                    let entry = Entry::default();
                    runs.entries.insert(key.clone(), entry.clone());
                    return Ok(RunSlot { running: self.clone(), key, entry });
                }
            };
            earlier.stop.cancel();
            earlier.done.cancelled().await;
        }
    }

    /// Takes no more runs and stops those there are; returns when they have
    /// ended, or after `limit`.
    pub(crate) async fn stop_all(&self, limit: Duration) {
        let entries: Vec<Entry> = {
            let mut runs = self.lock();
            runs.closed = true;
            runs.entries.values().cloned().collect()
        };
        for entry in &entries {
            entry.stop.cancel();
        }
        let all = async {
            for entry in &entries {
                entry.done.cancelled().await;
            }
        };
        if timeout(limit, all).await.is_err() {
            tracing::error!("a chaincode did not end in time");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Runs> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunSlot {
    /// Fires when the run is to end.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.entry.stop
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        self.running.lock().entries.remove(&self.key);
        self.entry.done.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(package: &str) -> RunKey {
        (package.into(), "peer:7052".into())
    }

    #[tokio::test]
    async fn a_new_run_takes_over_from_the_old_one() {
        let running = Running::default();
        let first = running.begin(key("a")).await.unwrap();
        let _other = running.begin(key("b")).await.unwrap();
        let second = tokio::spawn({
            let running = running.clone();
            async move { running.begin(key("a")).await.map(drop) }
        });
        first.stop().cancelled().await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_stopping_launcher_takes_no_more() {
        let running = Running::default();
        let slot = running.begin(key("a")).await.unwrap();
        let stopping = tokio::spawn({
            let running = running.clone();
            async move { running.stop_all(Duration::from_mins(1)).await }
        });
        slot.stop().cancelled().await;
        assert!(running.begin(key("b")).await.is_err());
        drop(slot);
        stopping.await.unwrap();
    }
}
