//! One Job of a build, from its creation to its end, whoever created it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_stream::{Stream, StreamExt};
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::super::failure::{ApiFailure, call};
use super::super::ground::Ground;
use super::super::identity::MANAGER;
use super::manifest::{self, BuildOrder, COMPILE, JOB_LABEL};
use super::settings::BuildSettings;
use super::verdict::{JobFailure, Sight, Verdict, complaint};
use crate::backend::lines::read_lines;
use crate::build_job::Outcome;
use crate::error_chain::one_line;

/// How long the log of an ended build is still read.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A pause before something that passes by itself is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a Job is tried to be deleted.
const DELETIONS: usize = 20;

/// A Job that exists.
pub(super) struct BuildJobHandle<'a> {
    ground: &'a Ground,
    settings: &'a BuildSettings,
    job: Job,
}

/// Why it is not known how a Job ended, or how it did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Job(#[from] JobFailure),
    #[error(transparent)]
    Api(#[from] ApiFailure),
}

/// Whose a Job is.
pub(super) enum Begun<'a> {
    /// It was made just now.
    Ours(BuildJobHandle<'a>),
    /// It was there.
    There(BuildJobHandle<'a>),
}

/// Deletes a Job when it is dropped.
pub(super) struct Abandon {
    jobs: Api<Job>,
    name: String,
    uid: String,
    armed: bool,
}

/// Something new of a Job.
enum News {
    Job(Option<Box<Job>>),
    Pod(Box<Pod>),
    Event(Box<Event>),
    Failed(ApiFailure),
}

/// Makes the order's Job, suspended, or finds the one that is there.
pub(super) async fn begin<'a>(
    ground: &'a Ground,
    order: &BuildOrder<'a>,
) -> Result<Begun<'a>, ApiFailure> {
    let jobs: Api<Job> = ground.api();
    let name = manifest::name(order.key);
    let handle = |job| BuildJobHandle { ground, settings: order.settings, job };
    let parameters =
        PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    loop {
        let act = format!("create the Job {name}");
        let job = order.job();
        match patiently(|| call(&act, jobs.create(&parameters, &job))).await {
            Ok(job) => return Ok(Begun::Ours(handle(job))),
            Err(failure) if failure.is_there_already() => {}
            Err(failure) => return Err(failure),
        }
        let act = format!("read the Job {name}");
        if let Some(job) = patiently(|| call(&act, jobs.get_opt(&name))).await? {
            return Ok(Begun::There(handle(job)));
        }
    }
}

impl BuildJobHandle<'_> {
    /// Gives the Job what it needs and lets it run. Its address is in `url`.
    pub(super) async fn release(
        &self,
        order: &BuildOrder<'_>,
        url: &str,
        launcher: SocketAddr,
        api_server: &[IpAddr],
    ) -> Result<(), ApiFailure> {
        let creation = PostParams::default();
        let secrets: Api<Secret> = self.ground.api();
        let secret = order.secret(&self.job, url);
        let act = format!("create the Secret {}", secret.name_any());
        made(patiently(|| call(&act, secrets.create(&creation, &secret))).await)?;
        let policies: Api<NetworkPolicy> = self.ground.api();
        let policy = order.policy(&self.job, launcher, api_server);
        let act = format!("create the NetworkPolicy {}", policy.name_any());
        made(patiently(|| call(&act, policies.create(&creation, &policy))).await)?;
        let jobs: Api<Job> = self.ground.api();
        let resume = Patch::Merge(json!({ "spec": { "suspend": false } }));
        let act = format!("start the Job {}", self.name());
        let name = self.name();
        let parameters = PatchParams::default();
        patiently(|| call(&act, jobs.patch(&name, &parameters, &resume))).await?;
        info!(job = name, namespace = self.ground.namespace, "build was started");
        Ok(())
    }

    pub(super) fn name(&self) -> String {
        self.job.name_any()
    }

    fn uid(&self) -> String {
        self.job.uid().unwrap_or_default()
    }

    /// Whether it is on its way: neither ended nor being deleted.
    pub(super) fn is_open(&self) -> bool {
        let status = self.job.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let ended = conditions.into_iter().flatten().any(|condition| {
            matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
        });
        !ended && self.job.metadata.deletion_timestamp.is_none()
    }

    /// The pod's UID of the launcher that made it.
    pub(super) fn begun_by(&self) -> Option<&str> {
        self.job.annotations().get(manifest::BEGUN_BY).map(String::as_str)
    }

    /// Deletes it when what this returns is dropped.
    pub(super) fn abandon(&self) -> Abandon {
        let jobs = self.ground.api();
        Abandon { jobs, name: self.name(), uid: self.uid(), armed: true }
    }

    /// Deletes it now, and returns when the name is free.
    pub(super) async fn delete(self) -> Result<(), ApiFailure> {
        let jobs: Api<Job> = self.ground.api();
        let (name, uid) = (self.name(), self.uid());
        let act = format!("delete the Job {name}");
        patiently(|| delete(&jobs, &name, &uid, &act)).await?;
        let act = format!("read the Job {name}");
        while let Some(job) = patiently(|| call(&act, jobs.get_opt(&name))).await?
            && job.uid().as_ref() == Some(&uid)
        {
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Watches it until it has ended. Lines of the build go to `log` as they come.
    pub(super) async fn follow(&self, log: &mpsc::Sender<String>) -> Result<Outcome, FollowError> {
        let mut news = self.news();
        let mut sight = Sight { job: Some(self.job.clone()), ..Sight::default() };
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
                reader = sight.pod.as_ref().map(|pod| self.read_log(pod.name_any(), log));
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

    fn read_log(&self, pod: String, log: &mpsc::Sender<String>) -> LogReader {
        let ended = CancellationToken::new();
        let reading = read_log(self.ground.api(), pod, log.clone(), ended.clone());
        LogReader { task: tokio::spawn(reading), ended }
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

/// Reads a pod's log in the background.
struct LogReader {
    task: tokio::task::JoinHandle<()>,
    ended: CancellationToken,
}

impl LogReader {
    /// The container has ended: waits for its last lines.
    async fn finish(mut self) {
        self.ended.cancel();
        if timeout(LAST_WORDS, &mut self.task).await.is_err() {
            warn!("the last lines of the build's log did not come");
        }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let task: AbortHandle = self.task.abort_handle();
        task.abort();
    }
}

/// Passes each line of the log on once, over any number of connections, until the log was read
/// to its end after the container's.
async fn read_log(
    pods: Api<Pod>,
    pod: String,
    log: mpsc::Sender<String>,
    ended: CancellationToken,
) {
    let parameters =
        LogParams { container: Some(COMPILE.to_owned()), follow: true, ..LogParams::default() };
    let mut passed = 0;
    loop {
        let is_last = ended.is_cancelled();
        match pods.log_stream(&pod, &parameters).await {
            Ok(stream) => {
                let (sink, mut lines) = mpsc::channel(64);
                let pass_on = async {
                    let mut number = 0;
                    while let Some(line) = lines.recv().await {
                        number += 1;
                        if number > passed {
                            passed = number;
                            let _ = log.send(line).await;
                        }
                    }
                };
                tokio::join!(read_lines(stream.compat(), sink), pass_on);
            }
            Err(error) => debug!(pod, %error, "cannot read the build's log"),
        }
        if is_last {
            return;
        }
        // The container has ended and will be told to have, or the connection was cut.
        let _ = timeout(PAUSE, ended.cancelled()).await;
    }
}

impl Abandon {
    /// The Job has ended by itself; Kubernetes clears it away.
    pub(super) fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (jobs, name, uid) = (self.jobs.clone(), self.name.clone(), self.uid.clone());
        tokio::spawn(async move {
            let act = format!("delete the Job {name}");
            for _ in 0..DELETIONS {
                match delete(&jobs, &name, &uid, &act).await {
                    Ok(()) => return info!(job = name, "build was ended"),
                    Err(failure) if failure.is_passing() => sleep(PAUSE).await,
                    Err(failure) => return warn!(reason = one_line(&failure), "build goes on"),
                }
            }
            warn!(job = name, "build goes on until its time limit: it cannot be deleted");
        });
    }
}

/// Deletes the Job and what it owns, if it is the one with that UID.
async fn delete(jobs: &Api<Job>, name: &str, uid: &str, act: &str) -> Result<(), ApiFailure> {
    let parameters = DeleteParams::background()
        .preconditions(Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() });
    let Err(failure) = call(act, jobs.delete(name, &parameters)).await else {
        return Ok(());
    };
    if failure.is_not_found() {
        return Ok(());
    }
    if failure.is_conflict() {
        // Another one has the name, and ours is gone; or another writer was quicker.
        let now = call(&format!("read the Job {name}"), jobs.get_opt(name)).await?;
        if now.is_none_or(|now| now.metadata.uid.as_deref() != Some(uid)) {
            return Ok(());
        }
    }
    Err(failure)
}

/// An object whose creation was tried twice is there all the same: its name is ours alone.
fn made<T>(created: Result<T, ApiFailure>) -> Result<(), ApiFailure> {
    match created {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_there_already() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Tries again what passes by itself, for as long as the build may take.
async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, ApiFailure>
where
    F: Future<Output = Result<T, ApiFailure>>,
{
    loop {
        match attempt().await {
            Err(failure) if failure.is_passing() => {
                warn!(reason = one_line(&failure), "trying again");
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
