//! What a build has come to, read from its Job, its pod and what the Job controller says.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod};

use super::manifest::COMPILE;
use crate::build_job::Outcome;
use crate::settings::BuildSettings;

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
    #[error("the build met its memory limit of {0} (--build-memory)")]
    Memory(String),
    /// It needs more disk than it may have.
    #[error("the build met its disk limit of {limit} (--build-disk): {message}")]
    Disk { limit: String, message: String },
    /// It needs more time than it may have.
    #[error("the build met its time limit (--build-timeout)")]
    Time,
    /// The pod cannot start.
    #[error("the build's pod {pod} cannot start: {reason}: {message}")]
    CannotStart { pod: String, reason: String, message: String },
    /// There is no pod.
    #[error("the build's Job {job} gets no pod: {message}")]
    NoPod { job: String, message: String },
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
    /// It ended.
    Ended(Box<Result<Outcome, JobFailure>>),
}

/// What is known of a Job.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    /// The Job; `None` when it is gone.
    pub(super) job: Option<Job>,
    /// Its pod.
    pub(super) pod: Option<Pod>,
    /// What the Job controller could not do.
    pub(super) complaint: Option<String>,
}

/// Waiting states that pass only if a person changes something
/// (`pkg/kubelet/images/types.go`, `pkg/kubelet/kuberuntime/kuberuntime_container.go`).
const CANNOT_START: [&str; 8] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

impl Sight {
    /// The verdict on the Job called `name`.
    pub(super) fn verdict(&self, name: &str, settings: &BuildSettings) -> Verdict {
        let ended = |result| Verdict::Ended(Box::new(result));
        let pod = self.pod.as_ref().and_then(|pod| of_pod(pod, settings));
        if let Some(result) = pod {
            return ended(result);
        }
        let Some(job) = &self.job else {
            return ended(Err(JobFailure::Deleted(name.to_owned())));
        };
        if let Some(failure) = of_job(job, self.pod.as_ref()) {
            return ended(Err(failure));
        }
        match (&self.pod, &self.complaint) {
            (None, Some(message)) => {
                ended(Err(JobFailure::NoPod { job: name.to_owned(), message: message.clone() }))
            }
            _ => Verdict::Open,
        }
    }

    /// Why the pod has no node yet, in the scheduler's words.
    pub(super) fn unschedulable(&self) -> Option<&str> {
        let conditions = self.pod.as_ref()?.status.as_ref()?.conditions.as_ref()?;
        let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
        let waits =
            scheduled.status == "False" && scheduled.reason.as_deref() == Some("Unschedulable");
        if waits { scheduled.message.as_deref() } else { None }
    }

    /// Whether there is a log to read.
    pub(super) fn has_log(&self) -> bool {
        let status = self.pod.as_ref().and_then(|pod| container(pod, COMPILE));
        let state = status.and_then(|status| status.state.as_ref());
        state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    }
}

fn of_pod(pod: &Pod, settings: &BuildSettings) -> Option<Result<Outcome, JobFailure>> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref().unwrap_or_default();
    let message = status.message.as_deref().unwrap_or_default();
    match reason {
        "Evicted" if is_about_disk(message) => {
            let limit = settings.build_disk.clone();
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
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    for container in containers.flatten() {
        if let Some(failure) = cannot_start(&name, container) {
            return Some(Err(failure));
        }
        let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        match ended {
            Some(ended) if container.name == COMPILE => {
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

/// How the compiling container ended. `OOMKilled` is told of one that lost any of its processes:
/// it counts only if no image came of it.
fn of_end(
    pod: &str,
    ended: &ContainerStateTerminated,
    settings: &BuildSettings,
) -> Result<Outcome, JobFailure> {
    let outcome = ended.message.as_deref().and_then(|json| serde_json::from_str(json).ok());
    match outcome {
        Some(Outcome::Image(image)) if ended.exit_code == 0 => Ok(Outcome::Image(image)),
        Some(Outcome::Killed) => Err(JobFailure::Memory(settings.build_memory.clone())),
        _ if ended.reason.as_deref() == Some("OOMKilled") => {
            Err(JobFailure::Memory(settings.build_memory.clone()))
        }
        Some(Outcome::Compile(lines)) => Err(JobFailure::Compile(lines)),
        Some(Outcome::Failed(reason)) => Err(JobFailure::Reason(reason)),
        _ => Err(JobFailure::Killed { pod: pod.to_owned(), reason: words(ended) }),
    }
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

fn cannot_start(pod: &str, container: &ContainerStatus) -> Option<JobFailure> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    CANNOT_START.contains(&reason).then(|| JobFailure::CannotStart {
        pod: pod.to_owned(),
        reason: reason.to_owned(),
        message: waiting.message.clone().unwrap_or_else(|| format!("image {}", container.image)),
    })
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
    let pod = pod.and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    // One that ended by itself was seen to.
    let reason = if reason == "BackoffLimitExceeded" {
        "somebody deleted it, or its node is gone".to_owned()
    } else {
        format!("{reason}: {}", failed.message.as_deref().unwrap_or_default())
    };
    Some(JobFailure::Killed { pod, reason })
}

/// What an event of the Job says that keeps it from having a pod: a quota, or a refusal by
/// admission (`pkg/controller/controller_utils.go`, `FailedCreatePodReason`).
pub(super) fn complaint(event: &Event) -> Option<String> {
    (event.reason.as_deref() == Some("FailedCreate"))
        .then(|| event.message.clone().unwrap_or_default())
}

/// The words of `pkg/kubelet/eviction/helpers.go`.
fn is_about_disk(message: &str) -> bool {
    ["ephemeral", "EmptyDir", "emptyDir", "disk", "inodes"]
        .iter()
        .any(|word| message.contains(word))
}

fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == name)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
