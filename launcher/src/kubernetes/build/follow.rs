//! A Job watched to its end, whoever created it.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tracing::debug;

use super::super::failure::{ApiFailure, call};
use super::job::{BuildJobHandle, patiently};
use super::job_log::LogReader;
use super::manifest::{JOB_LABEL, WITH_LOGS};
use super::patience::Patience;
use super::verdict::{JobFailure, Sight, Verdict};
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

/// The log that is being read, and those that were before it.
#[derive(Default)]
struct Reading {
    begun: Vec<&'static str>,
    reader: Option<LogReader>,
}

impl Reading {
    /// Begins with a container's log, once, when that of the container before it was read to its end.
    async fn go_on_to(&mut self, container: &'static str, start: impl FnOnce() -> LogReader) {
        if !self.begun.contains(&container) {
            self.finish().await;
            self.begun.push(container);
            self.reader = Some(start());
        }
    }

    async fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.finish().await;
        }
    }
}

/// Something new of a Job.
enum News {
    Job(Option<Box<Job>>),
    Pod(Box<Pod>),
    Warning(Box<Event>),
    Failed(ApiFailure),
}

impl BuildJobHandle<'_> {
    /// Watches it until it has ended. Lines of the build go to `log` as they come.
    pub(super) async fn follow(&self, log: &mpsc::Sender<String>) -> Result<Outcome, FollowError> {
        let mut reading = Reading::default();
        let result = self.watch(log, &mut reading).await;
        reading.finish().await;
        result
    }

    async fn watch(
        &self,
        log: &mpsc::Sender<String>,
        reading: &mut Reading,
    ) -> Result<Outcome, FollowError> {
        let mut news = self.news();
        let mut sight = Sight { job: Some((*self.job).clone()), ..Sight::default() };
        let mut patience = Patience::default();
        loop {
            let next = tokio::select! {
                next = news.next() => next,
                failure = patience.lost() => return Err(failure.into()),
            };
            match next {
                Some(News::Job(job)) => sight.job = job.map(|job| *job),
                Some(News::Pod(pod)) => sight.pod = Some(*pod),
                Some(News::Warning(event)) => sight.warn(*event),
                Some(News::Failed(failure)) => return Err(failure.into()),
                // Watches do not end.
                None => return Err(JobFailure::Deleted(self.name()).into()),
            }
            for container in WITH_LOGS {
                if let Some(pod) = sight.pod.as_ref().filter(|_| sight.has_log_of(container)) {
                    let start = || {
                        let (pods, pod) = (self.ground.api(), pod.name_any());
                        LogReader::start(pods, pod, container, log.clone())
                    };
                    reading.go_on_to(container, start).await;
                }
                // What waits for it has nothing to say.
                if sight.is_running(container) {
                    break;
                }
            }
            match sight.verdict(&self.name(), self.settings) {
                Verdict::Ended(result) => return (*result).map_err(Into::into),
                Verdict::Unheard(failure) => return self.last_word(failure).await,
                Verdict::Hindered(hindrance) => patience.meet(Some(hindrance), log).await?,
                Verdict::Open => patience.meet(None, log).await?,
            }
        }
    }

    /// What the pod of a Job that failed says of it, or the failure if it says nothing. What the
    /// Job controller saw of the pod before it called the Job failed, is there to be read now.
    async fn last_word(&self, failure: JobFailure) -> Result<Outcome, FollowError> {
        let pods: Api<Pod> = self.ground.api();
        let of_job = ListParams::default().labels(&self.selector());
        let found = patiently(|| call("read the build's pod", pods.list(&of_job))).await?;
        let uid = self.uid();
        let pod = found.items.into_iter().find(|pod| is_of(pod, &uid));
        let said = Sight { pod, ..Sight::default() }.of_pod(self.settings);
        said.unwrap_or(Err(failure)).map_err(Into::into)
    }

    fn selector(&self) -> String {
        format!("{JOB_LABEL}={}", self.name())
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
        let of_job = watcher::Config::default().labels(&self.selector());
        let owner = uid.clone();
        let pods = watcher(self.ground.api::<Pod>(), of_job).default_backoff().applied_objects();
        let pods = pods.filter_map(move |pod| match told("pods", pod)? {
            // One of an earlier Job of the same name may still be there.
            Ok(pod) => is_of(&pod, &owner).then(|| News::Pod(Box::new(pod))),
            Err(failure) => Some(News::Failed(failure)),
        });
        // About the Job and about its pods, whose UIDs are not known yet.
        let warnings = watcher::Config::default().fields("type=Warning");
        let events =
            watcher(self.ground.api::<Event>(), warnings).default_backoff().applied_objects();
        let pod_name = format!("{name}-");
        let events = events.filter_map(move |event| match told("events", event)? {
            Ok(event) => {
                let about = &event.involved_object;
                let of_job = about.uid.as_ref() == Some(&uid);
                let of_pod = about.kind.as_deref() == Some("Pod")
                    && about.name.as_ref().is_some_and(|name| name.starts_with(&pod_name));
                (of_job || of_pod).then(|| News::Warning(Box::new(event)))
            }
            Err(failure) => Some(News::Failed(failure)),
        });
        Box::pin(jobs.merge(pods).merge(events))
    }
}

/// Whether a pod is of the Job with this UID.
fn is_of(pod: &Pod, job: &str) -> bool {
    pod.owner_references().iter().any(|reference| reference.uid == job)
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
