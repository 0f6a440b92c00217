//! What a build has come to, read from its Job, its pod and the warnings about them.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Event, Pod,
};

use super::super::hindrance::{Outlook, TroubleKind, of_refusal, of_sandbox, of_waiting};
use super::manifest::{COMPILE, FETCH, MIRROR, WITH_LOGS};
use crate::build_job::Outcome;
use selvedge_config::Builds;

/// Why a Job brought no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JobFailure {
    /// The compiler's first errors.
    #[error("the chaincode does not compile: {}", .0.join(" | "))]
    Compile(Vec<String>),
    /// The build's own reason.
    #[error("the build failed: {0}")]
    Reason(String),
    /// It needs more memory than it may have.
    #[error("the build met its memory limit of {0} (builds.resources)")]
    Memory(String),
    /// It needs more disk than it may have.
    #[error("the build met its disk limit of {limit} (builds.disk): {message}")]
    Disk { limit: String, message: String },
    /// It needs more time than it may have.
    #[error("the build met its time limit (builds.timeout)")]
    Time,
    /// The pod cannot start.
    #[error("the build's pod {pod} cannot start: {reason}: {message}")]
    CannotStart { pod: String, reason: String, message: String },
    /// There is no pod.
    #[error("the build's Job {job} gets no pod: {message}")]
    NoPod { job: String, message: String },
    /// No node takes the pod.
    #[error("the build's pod waits for a node: {0}")]
    NoNode(String),
    /// The pod ended without a word of the build's.
    #[error("the build's pod {pod} was ended from outside: {reason}")]
    Killed { pod: String, reason: String },
    /// Somebody deleted the Job.
    #[error("the build's Job {0} was deleted")]
    Deleted(String),
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It runs, or will.
    Open,
    /// It does not run for now.
    Hindered(Hindrance),
    /// It failed, and its pod was not yet seen to end: what it failed of if the pod has no word of
    /// its own to say. Watches of two kinds do not show what happened in the order in which it did.
    Unheard(JobFailure),
    /// It ended.
    Ended(Box<Result<Outcome, JobFailure>>),
}

/// What keeps a build from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hindrance {
    /// What it is about, by which the same in other words is known.
    pub(super) kind: TroubleKind,
    /// Whether it passes.
    pub(super) outlook: Outlook,
    /// What the build fails of if it does not.
    pub(super) failure: JobFailure,
}

/// What is known of a Job.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    /// The Job; `None` when it is gone.
    pub(super) job: Option<Job>,
    /// Its pod.
    pub(super) pod: Option<Pod>,
    /// The latest that the Job controller could not do.
    pub(super) complaint: Option<String>,
    /// Warnings about pods, each once.
    pub(super) warnings: Vec<Event>,
}

impl Sight {
    /// The verdict on the Job called `name`.
    pub(super) fn verdict(&self, name: &str, settings: &Builds) -> Verdict {
        let ended = |result| Verdict::Ended(Box::new(result));
        if let Some(result) = self.of_pod(settings) {
            return ended(result);
        }
        let Some(job) = &self.job else {
            return ended(Err(JobFailure::Deleted(name.to_owned())));
        };
        match of_job(job, self.pod.as_ref()) {
            Some(JobFailure::Time) => ended(Err(JobFailure::Time)),
            Some(failure) => Verdict::Unheard(failure),
            None => self.hindrance(name).map_or(Verdict::Open, Verdict::Hindered),
        }
    }

    /// What the pod says itself of how the build ended.
    pub(super) fn of_pod(&self, settings: &Builds) -> Option<Result<Outcome, JobFailure>> {
        of_pod(self.pod.as_ref()?, settings)
    }

    /// Takes a warning, which may be another count of one that is known.
    pub(super) fn warn(&mut self, event: Event) {
        if event.reason.as_deref() == Some("FailedCreate") {
            // A quota, or a refusal by admission (`pkg/controller/controller_utils.go`,
            // `FailedCreatePodReason`).
            self.complaint = Some(event.message.unwrap_or_default());
            return;
        }
        self.warnings.retain(|known| known.metadata.uid != event.metadata.uid);
        self.warnings.push(event);
    }

    fn hindrance(&self, job: &str) -> Option<Hindrance> {
        match &self.pod {
            Some(pod) => self.of_waiting_pod(pod),
            None => self.complaint.as_ref().map(|message| Hindrance {
                kind: TroubleKind::Create,
                outlook: of_refusal(message),
                failure: JobFailure::NoPod { job: job.to_owned(), message: message.clone() },
            }),
        }
    }

    fn of_waiting_pod(&self, pod: &Pod) -> Option<Hindrance> {
        let status = pod.status.as_ref()?;
        let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
        if let Some(found) = containers.flatten().find_map(|container| waits(pod, container)) {
            return Some(found);
        }
        let warnings: Vec<&Event> = self.warnings.iter().collect();
        if !self.has_log()
            && let Some(event) = of_sandbox(pod.metadata.uid.as_deref(), &warnings)
        {
            return Some(Hindrance {
                kind: TroubleKind::Sandbox,
                outlook: Outlook::Passing,
                failure: JobFailure::CannotStart {
                    pod: name_of(pod),
                    reason: event.reason.clone().unwrap_or_default(),
                    message: event.message.clone().unwrap_or_default(),
                },
            });
        }
        let words = unschedulable(pod)?.to_owned();
        let failure = JobFailure::NoNode(words);
        Some(Hindrance { kind: TroubleKind::Schedule, outlook: Outlook::Crowded, failure })
    }

    /// Whether there is a log to read.
    pub(super) fn has_log(&self) -> bool {
        WITH_LOGS.iter().any(|container| self.has_log_of(container))
    }

    /// Whether there is one of this container.
    pub(super) fn has_log_of(&self, name: &str) -> bool {
        self.is_running(name) || self.state(name).is_some_and(|state| state.terminated.is_some())
    }

    /// Whether this container runs.
    pub(super) fn is_running(&self, name: &str) -> bool {
        self.state(name).is_some_and(|state| state.running.is_some())
    }

    fn state(&self, name: &str) -> Option<&ContainerState> {
        container(self.pod.as_ref()?, name)?.state.as_ref()
    }
}

/// Whose end is heard first, if several have ended.
const BY_RANK: [&str; 2] = [FETCH, COMPILE];

fn of_pod(pod: &Pod, settings: &Builds) -> Option<Result<Outcome, JobFailure>> {
    let name = name_of(pod);
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref().unwrap_or_default();
    let message = status.message.as_deref().unwrap_or_default();
    match reason {
        "Evicted" if is_about_disk(message) => {
            let limit = settings.disk.0.clone();
            return Some(Err(JobFailure::Disk { limit, message: message.to_owned() }));
        }
        "DeadlineExceeded" => return Some(Err(JobFailure::Time)),
        "" => {}
        // Evicted for another reason, NodeLost, Shutdown, Preempted…
        _ if status.phase.as_deref() == Some("Failed") => {
            let reason = format!("{reason}: {message}");
            return Some(Err(JobFailure::Killed { pod: name, reason }));
        }
        _ => {}
    }
    let containers = status.container_statuses.iter().chain(&status.init_container_statuses);
    let mut containers: Vec<_> = containers.flatten().collect();
    // A build ends, too, for which nothing was fetched. What else stays beside one is ended when that has
    // ended.
    let rank = |name: &str| BY_RANK.iter().position(|ranked| *ranked == name);
    containers.sort_by_key(|container| rank(&container.name).unwrap_or(BY_RANK.len()));
    for container in containers {
        if container.name == MIRROR
            && let Some(reason) = of_mirror(container)
        {
            return Some(Err(JobFailure::Reason(reason)));
        }
        let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        match ended {
            Some(ended) if container.name == COMPILE => {
                return Some(of_end(&name, ended, settings));
            }
            Some(ended) if container.name == FETCH && ended.exit_code != 0 => {
                return Some(of_end(&name, ended, settings));
            }
            Some(ended) if ended.exit_code != 0 => {
                let reason = format!("container {}: {}", container.name, words(ended));
                return Some(Err(JobFailure::Killed { pod: name, reason }));
            }
            _ => {}
        }
    }
    None
}

/// Why the mirror cannot do its work, which no other try helps.
fn of_mirror(mirror: &ContainerStatus) -> Option<String> {
    let states = [&mirror.state, &mirror.last_state].map(Option::as_ref);
    let ended = states.into_iter().flatten().find_map(|state| state.terminated.as_ref())?;
    match serde_json::from_str(ended.message.as_deref()?).ok()? {
        Outcome::Failed(reason) => Some(reason),
        _ => None,
    }
}

/// How the compiling container ended. `OOMKilled` is told of one that lost any of its processes:
/// it counts only if no image came of it.
fn of_end(
    pod: &str,
    ended: &ContainerStateTerminated,
    settings: &Builds,
) -> Result<Outcome, JobFailure> {
    let outcome = ended.message.as_deref().and_then(|json| serde_json::from_str(json).ok());
    match outcome {
        Some(Outcome::Image(image)) if ended.exit_code == 0 => Ok(Outcome::Image(image)),
        Some(Outcome::Killed) => Err(JobFailure::Memory(memory_limit(settings))),
        _ if ended.reason.as_deref() == Some("OOMKilled") => {
            Err(JobFailure::Memory(memory_limit(settings)))
        }
        Some(Outcome::Compile(lines)) => Err(JobFailure::Compile(lines)),
        Some(Outcome::Failed(reason)) => Err(JobFailure::Reason(reason)),
        _ => Err(JobFailure::Killed { pod: pod.to_owned(), reason: words(ended) }),
    }
}

fn memory_limit(settings: &Builds) -> String {
    let limit = settings.resources.limits.as_ref().and_then(|limits| limits.get("memory"));
    limit.map_or_else(|| "its node".to_owned(), |limit| limit.0.clone())
}

fn words(ended: &ContainerStateTerminated) -> String {
    let reason = ended.reason.as_deref().unwrap_or("Error");
    match ended.message.as_deref() {
        Some(message) if !message.is_empty() => {
            format!("{reason}, exit code {}: {message}", ended.exit_code)
        }
        _ => format!("{reason}, exit code {}", ended.exit_code),
    }
}

/// What keeps a container from starting.
fn waits(pod: &Pod, container: &ContainerStatus) -> Option<Hindrance> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let (kind, outlook) = of_waiting(reason, waiting.message.as_deref().unwrap_or_default())?;
    let message = waiting.message.clone().unwrap_or_else(|| format!("image {}", container.image));
    let failure = JobFailure::CannotStart { pod: name_of(pod), reason: reason.to_owned(), message };
    Some(Hindrance { kind, outlook, failure })
}

/// Why the pod has no node yet, in the scheduler's words.
fn unschedulable(pod: &Pod) -> Option<&str> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    let waits = scheduled.status == "False" && scheduled.reason.as_deref() == Some("Unschedulable");
    if waits { scheduled.message.as_deref() } else { None }
}

/// What the Job controller says when the pod cannot be asked any more.
fn of_job(job: &Job, pod: Option<&Pod>) -> Option<JobFailure> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|condition| {
        matches!(condition.type_.as_str(), "Failed" | "FailureTarget") && condition.status == "True"
    })?;
    let reason = failed.reason.clone().unwrap_or_default();
    if reason == "DeadlineExceeded" {
        return Some(JobFailure::Time);
    }
    let pod = pod.map(name_of).unwrap_or_default();
    // One that ended by itself says so.
    let reason = if reason == "BackoffLimitExceeded" {
        "somebody deleted it, or its node is gone".to_owned()
    } else {
        format!("{reason}: {}", failed.message.as_deref().unwrap_or_default())
    };
    Some(JobFailure::Killed { pod, reason })
}

/// The words of `pkg/kubelet/eviction/helpers.go`.
fn is_about_disk(message: &str) -> bool {
    ["ephemeral", "EmptyDir", "emptyDir", "disk", "inodes"]
        .iter()
        .any(|word| message.contains(word))
}

fn name_of(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}

fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    statuses.flatten().find(|status| status.name == name)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
