//! The launcher's beginning: it listens before it has looked around, and who calls meanwhile waits
//! and is told so.
//!
//! A builder gives up two seconds after it found no socket (`launcher/client`), and fails
//! its peer's install or launch; the Kubernetes API may take a minute to show the launcher its own
//! pod.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::backend::Backend;
use crate::data::DataDirectory;

/// How long a call waits: longer than looking around may take, and much shorter than the peer
/// waits for a chaincode (`chaincode.startuptimeout`, 300 s).
const LIMIT: Duration = Duration::from_mins(2);

/// How often who waits is told.
const PROGRESS: Duration = Duration::from_secs(10);

/// What builds and runs chaincode.
pub(crate) struct Works {
    /// What does so.
    pub(crate) backend: Arc<dyn Backend>,
    /// Where sources are kept meanwhile.
    pub(crate) data: DataDirectory,
}

/// How far the launcher is.
enum Stage {
    Starting,
    Open(Arc<Works>),
    /// It will not start; the reason.
    Failed(String),
}

/// Opens the launcher to those who wait. Dropped, it tells them that the launcher ends.
pub(crate) struct Opening(watch::Sender<Stage>);

/// Where calls wait.
#[derive(Clone)]
pub(crate) struct Entrance(watch::Receiver<Stage>);

/// Why a call is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpen {
    #[error("the launcher cannot start: {0}")]
    Failed(String),
    #[error(
        "the launcher has not started within {} s; its log says what it waits for", LIMIT.as_secs()
    )]
    Late,
    #[error("the launcher is starting")]
    Starting,
    #[error("the launcher is stopping")]
    Stopping,
}

/// A launcher that has just begun.
pub(crate) fn begin() -> (Opening, Entrance) {
    let (opening, entrance) = watch::channel(Stage::Starting);
    (Opening(opening), Entrance(entrance))
}

impl Opening {
    /// Lets in who waits.
    pub(crate) fn open(&self, works: Arc<Works>) {
        self.0.send_replace(Stage::Open(works));
    }

    /// Sends away who waits, with the reason.
    pub(crate) fn fail(&self, reason: String) {
        self.0.send_replace(Stage::Failed(reason));
    }
}

impl Entrance {
    /// What is inside; or why nobody is let in yet, or will be.
    pub(crate) fn now(&self) -> Result<Arc<Works>, NotOpen> {
        match &*self.0.borrow() {
            Stage::Open(works) => Ok(Arc::clone(works)),
            Stage::Starting => Err(NotOpen::Starting),
            Stage::Failed(reason) => Err(NotOpen::Failed(reason.clone())),
        }
    }

    /// Waits until the launcher is open; what it waits for goes to `tell`, a line each.
    pub(crate) async fn enter(&self, tell: impl Fn(String)) -> Result<Arc<Works>, NotOpen> {
        let mut stage = self.0.clone();
        let entered = async {
            let stage = stage.wait_for(|stage| !matches!(stage, Stage::Starting)).await;
            match stage.as_deref() {
                Ok(Stage::Open(works)) => Ok(Arc::clone(works)),
                Ok(Stage::Failed(reason)) => Err(NotOpen::Failed(reason.clone())),
                Ok(Stage::Starting) | Err(_) => Err(NotOpen::Stopping),
            }
        };
        let progress = async {
            let began = Instant::now();
            tell("the launcher is starting: waiting for it".to_owned());
            loop {
                sleep(PROGRESS).await;
                let seconds = began.elapsed().as_secs();
                tell(format!("the launcher is still starting, after {seconds} s"));
            }
        };
        let waited = timeout(LIMIT, async {
            tokio::select! {
                biased;
                entered = entered => entered,
                never = progress => never,
            }
        });
        waited.await.unwrap_or(Err(NotOpen::Late))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What who waits was told, and what came of it.
    async fn entered(entrance: &Entrance) -> (Vec<String>, Option<NotOpen>) {
        let told = Mutex::new(Vec::new());
        let entered = entrance.enter(|line| told.lock().unwrap().push(line)).await;
        (told.into_inner().unwrap(), entered.err())
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_and_in_the_end_sent_away() {
        let (opening, entrance) = begin();
        let began = Instant::now();
        let (told, not_open) = entered(&entrance).await;
        assert_eq!(not_open, Some(NotOpen::Late));
        assert_eq!(began.elapsed(), LIMIT);
        assert_eq!(told[0], "the launcher is starting: waiting for it");
        assert_eq!(told[1], "the launcher is still starting, after 10 s");
        opening.fail("there is no registry".to_owned());
        let (told, not_open) = entered(&entrance).await;
        assert!(told.is_empty(), "{told:?}");
        let expected = "the launcher cannot start: there is no registry";
        assert_eq!(not_open.unwrap().to_string(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_when_the_launcher_is_stopped_is_sent_away() {
        let (opening, entrance) = begin();
        let ((_, not_open), ()) = tokio::join!(entered(&entrance), async {
            sleep(PROGRESS * 2).await;
            drop(opening);
        });
        assert_eq!(not_open, Some(NotOpen::Stopping));
    }
}
