//! How long what keeps a build from running is put up with, and that the installer hears of it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::super::hindrance::{Outlook, TroubleKind};
use super::verdict::{Hindrance, JobFailure};

/// How long something that another try may help gets. The kubelet tries to pull an image at once
/// and after 10, 30 and 70 s (`pkg/kubelet/kubelet.go`, `backOffPeriod`), the Job controller to make
/// a pod after 1, 3, 7 and so on (`pkg/controller/job/job_controller.go`, `DefaultJobApiBackOff`).
pub(super) const PASSING: Duration = Duration::from_secs(80);

/// What a build is held up by.
#[derive(Default)]
pub(super) struct Patience(Option<Held>);

struct Held {
    kind: TroubleKind,
    /// When there was enough of it; `None` for what may last as long as the build may.
    until: Option<Instant>,
    failure: JobFailure,
}

impl Patience {
    /// Takes what holds the build up now, or that nothing does. What is new is told; a failure is
    /// returned for what is not waited for.
    pub(super) async fn meet(
        &mut self,
        hindrance: Option<Hindrance>,
        log: &mpsc::Sender<String>,
    ) -> Result<(), JobFailure> {
        let Some(Hindrance { kind, outlook, failure }) = hindrance else {
            self.0 = None;
            return Ok(());
        };
        let until = match outlook {
            Outlook::Lasting => return Err(failure),
            Outlook::Passing => Some(Instant::now() + PASSING),
            Outlook::Crowded => None,
        };
        match &mut self.0 {
            Some(held) if held.kind == kind => held.failure = failure,
            held => {
                let hope = if until.is_some() { "trying again" } else { "waiting for room" };
                // An installer that is gone is noticed elsewhere.
                let _ = log.send(format!("{failure}; {hope}")).await;
                *held = Some(Held { kind, until, failure });
            }
        }
        Ok(())
    }

    /// Waits until there was enough of it; for ever when nothing holds the build up.
    pub(super) async fn lost(&self) -> JobFailure {
        match &self.0 {
            Some(Held { until: Some(until), failure, .. }) => {
                sleep_until(*until).await;
                failure.clone()
            }
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn pull(outlook: Outlook, reason: &str) -> Hindrance {
        let failure = JobFailure::CannotStart {
            pod: "build-x".to_owned(),
            reason: reason.to_owned(),
            message: "503".to_owned(),
        };
        Hindrance { kind: TroubleKind::Image, outlook, failure }
    }

    fn lines(said: &mut mpsc::Receiver<String>) -> Vec<String> {
        std::iter::from_fn(|| said.try_recv().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_told_once_and_given_its_time_once() {
        let (log, mut said) = mpsc::channel(64);
        let mut patience = Patience::default();
        let began = Instant::now();
        patience.meet(Some(pull(Outlook::Passing, "ErrImagePull")), &log).await.unwrap();
        assert!(timeout(PASSING / 2, patience.lost()).await.is_err());
        patience.meet(Some(pull(Outlook::Passing, "ImagePullBackOff")), &log).await.unwrap();
        let lost = patience.lost().await.to_string();
        assert_eq!(lost, "the build's pod build-x cannot start: ImagePullBackOff: 503");
        assert_eq!(began.elapsed(), PASSING);
        let told = "the build's pod build-x cannot start: ErrImagePull: 503; trying again";
        assert_eq!(lines(&mut said), [told]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_passed_is_forgotten() {
        let (log, mut said) = mpsc::channel(64);
        let mut patience = Patience::default();
        patience.meet(Some(pull(Outlook::Passing, "ErrImagePull")), &log).await.unwrap();
        patience.meet(None, &log).await.unwrap();
        assert!(timeout(PASSING * 2, patience.lost()).await.is_err());
        patience.meet(Some(pull(Outlook::Passing, "ErrImagePull")), &log).await.unwrap();
        assert!(timeout(PASSING / 2, patience.lost()).await.is_err());
        assert_eq!(lines(&mut said).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_not_waited_for_and_room_is() {
        let (log, mut said) = mpsc::channel(64);
        let mut patience = Patience::default();
        patience.meet(Some(pull(Outlook::Lasting, "InvalidImageName")), &log).await.unwrap_err();
        let full = Hindrance {
            kind: TroubleKind::Schedule,
            outlook: Outlook::Crowded,
            failure: JobFailure::NoNode("0/2 nodes are available".to_owned()),
        };
        patience.meet(Some(full), &log).await.unwrap();
        assert!(timeout(PASSING * 100, patience.lost()).await.is_err());
        let told = "the build's pod waits for a node: 0/2 nodes are available; waiting for room";
        assert_eq!(lines(&mut said), [told]);
    }
}
