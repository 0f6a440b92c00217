//! A Job watched to its end, whoever created it.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tracing::debug;

use super::super::failure::ApiFailure;
use super::job::BuildJobHandle;
use super::job_log::LogReader;
use super::manifest::JOB_LABEL;
use super::verdict::{JobFailure, Sight, Verdict, complaint};
use crate::build_job::Outcome;
use crate::error_chain::one_line;

/// Why it is not known how a Job ended, or how it did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Job(#[from] JobFailure),
    #[error(transparent)]
    Api(#[from] ApiFailure),
}

/// Something new of a Job.
enum News {
    Job(Option<Box<Job>>),
    Pod(Box<Pod>),
    Event(Box<Event>),
    Failed(ApiFailure),
}

impl BuildJobHandle<'_> {
    /// Watches it until it has ended. Lines of the build go to `log` as they come.
    pub(super) async fn follow(&self, log: &mpsc::Sender<String>) -> Result<Outcome, FollowError> {
        let mut news = self.news();
        let mut sight = Sight { job: Some((*self.job).clone()), ..Sight::default() };
        let mut reader: Option<LogReader> = None;
        let mut told = None;
        let result = loop {
            match news.next().await {
                Some(News::Job(job)) => sight.job = job.map(|job| *job),
                Some(News::Pod(pod)) => sight.pod = Some(*pod),
                Some(News::Event(event)) => sight.complaint = complaint(&event).or(sight.complaint),
                Some(News::Failed(failure)) => break Err(failure.into()),
                // Watches do not end.
                None => break Err(JobFailure::Deleted(self.name()).into()),
            }
            if reader.is_none() && sight.has_log() {
                let start =
                    |pod: &Pod| LogReader::start(self.ground.api(), pod.name_any(), log.clone());
                reader = sight.pod.as_ref().map(start);
            }
            if let Verdict::Ended(result) = sight.verdict(&self.name(), self.settings) {
                break (*result).map_err(Into::into);
            }
            let waits = sight.unschedulable().map(str::to_owned);
            if waits.is_some() && waits != told {
                let words = waits.as_deref().unwrap_or_default();
                let _ = log.send(format!("the build's pod waits for a node: {words}")).await;
                told = waits;
            }
        };
        if let Some(reader) = reader {
            reader.finish().await;
        }
        result
    }

    fn news(&self) -> impl Stream<Item = News> + Unpin + use<> {
        let uid = self.uid();
        let (name, ours) = (self.name(), uid.clone());
        let jobs = watcher::watch_object(self.ground.api::<Job>(), &name).default_backoff();
        let jobs = jobs.filter_map(move |job| {
            let job =
                told("Jobs", job)?.map(|job| job.filter(|job| job.uid().as_ref() == Some(&ours)));
            Some(job.map_or_else(News::Failed, |job| News::Job(job.map(Box::new))))
        });
        let of_job = watcher::Config::default().labels(&format!("{JOB_LABEL}={name}"));
        let owner = uid.clone();
        let pods = watcher(self.ground.api::<Pod>(), of_job).default_backoff().applied_objects();
        let pods = pods.filter_map(move |pod| match told("pods", pod)? {
            // One of an earlier Job of the same name may still be there.
            Ok(pod) => pod
                .owner_references()
                .iter()
                .any(|reference| reference.uid == owner)
                .then(|| News::Pod(Box::new(pod))),
            Err(failure) => Some(News::Failed(failure)),
        });
        let about = watcher::Config::default().fields(&format!("involvedObject.uid={uid}"));
        let events = watcher(self.ground.api::<Event>(), about).default_backoff().applied_objects();
        let events = events.filter_map(|event| {
            let event = told("events", event)?;
            Some(event.map_or_else(News::Failed, |event| News::Event(Box::new(event))))
        });
        Box::pin(jobs.merge(pods).merge(events))
    }
}

/// What a watch told; `None` for what passes by itself, which the watch sees to.
fn told<T>(what: &str, news: Result<T, watcher::Error>) -> Option<Result<T, ApiFailure>> {
    let act = format!("watch {what}");
    let failure = match news {
        Ok(object) => return Some(Ok(object)),
        Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) => {
            ApiFailure::new(&act, error)
        }
        Err(error) => {
            debug!(what, %error, "watch was interrupted");
            return None;
        }
    };
    if failure.is_passing() {
        debug!(what, reason = one_line(&failure), "watch was interrupted");
        return None;
    }
    Some(Err(failure))
}
