//! Why a chaincode has no running pod, in the words of who knows: the scheduler,
//! the kubelet, the quota. Pure functions of what the API shows.

use std::time::{Duration, SystemTime};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Event, Pod,
};
use k8s_openapi::jiff::SignedDuration;
use selvedge_keeper::report::Report;
use selvedge_manifest::{CONTAINER, GATE};

use super::hindrance;
pub(crate) use super::hindrance::TroubleKind;
use crate::backend::ReplicaExit;
use crate::last_lines::LastLines;

/// Times in the Kubernetes API are whole seconds.
pub(super) const RESOLUTION: Duration = Duration::from_secs(1);

/// A container that lived this long has recovered: its next start is at once again.
const RECOVERED: SignedDuration = SignedDuration::from_mins(10);

/// What the API shows of one run of a chaincode.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The Deployment.
    pub(crate) deployment: Option<&'a Deployment>,
    /// Those of this run.
    pub(crate) replica_sets: &'a [&'a ReplicaSet],
    /// This run's pods.
    pub(crate) pods: &'a [&'a Pod],
    /// Pods of an earlier run are still there, and hold what they were given.
    pub(crate) others_leaving: bool,
    /// Warnings about pods.
    pub(crate) warnings: &'a [&'a Event],
}

/// Why no replica will come soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What it is about, by which the same trouble in other words is known.
    pub(crate) kind: TroubleKind,
    /// The reason, one line.
    pub(crate) reason: String,
}

/// A container that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The container's ID, another for each start.
    pub(crate) container: String,
    /// The exit code; `None` when the container never ran.
    pub(crate) code: Option<i32>,
    /// Whether another container has taken its place.
    pub(crate) replaced: bool,
    /// How it ended.
    pub(crate) exit: ReplicaExit,
}

/// The trouble that a chaincode is in, if it is.
pub(crate) fn trouble(scene: &Scene<'_>) -> Option<Trouble> {
    let of_pods = scene.pods.iter().filter(|pod| !is_over(pod)).find_map(|pod| {
        waits(pod)
            .or_else(|| crashes(pod))
            .or_else(|| warned(pod, scene.warnings))
            .or_else(|| unschedulable(pod).filter(|_| !scene.others_leaving))
    });
    of_pods.or_else(|| {
        let refused = scene.replica_sets.iter().find_map(|set| no_pods(set));
        refused.or_else(|| no_replica_set(scene.deployment?)).filter(|_| !scene.others_leaving)
    })
}

/// How the pod's container last ended, if it ever did.
pub(crate) fn ended(pod: &Pod) -> Option<Ended> {
    let status = pod.status.as_ref()?;
    let Some(container) = container(pod) else {
        return evicted(pod);
    };
    let state = container.state.as_ref();
    let now = state.and_then(|state| state.terminated.as_ref());
    let before = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let Some(end) = now.or(before) else {
        return evicted(pod);
    };
    let starts = container.restart_count + i32::from(now.is_some());
    let mut exit = exit(end, pod);
    if let (Some("Evicted"), Some(message)) = (status.reason.as_deref(), &status.message) {
        exit.status = format!("Evicted: {}", one_line(message));
    }
    Some(Ended {
        container: end.container_id.clone().unwrap_or_else(|| starts.to_string()),
        code: Some(end.exit_code),
        replaced: state.is_some_and(|state| state.running.is_some()),
        exit,
    })
}

/// Whether the pod's container has started, so that it has a log.
pub(crate) fn has_started(pod: &Pod) -> bool {
    container(pod).is_some_and(|container| {
        container.restart_count > 0
            || container
                .state
                .as_ref()
                .is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    })
}

/// Since when the pod's container runs, if it does.
pub(crate) fn runs_since(pod: &Pod) -> Option<SystemTime> {
    let started = container(pod)?.state.as_ref()?.running.as_ref()?.started_at.as_ref()?;
    Some(started.0.into())
}

/// How often the pod's container was started anew.
pub(crate) fn restarts(pod: &Pod) -> i32 {
    container(pod).map_or(0, |container| container.restart_count)
}

/// A pod that is leaving or has failed for good: another takes its place.
pub(crate) fn is_over(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
        || pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Failed")
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == CONTAINER)
}

/// A pod that ended without a word of its container: what the kubelet says of it.
fn evicted(pod: &Pod) -> Option<Ended> {
    let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Failed"))?;
    let reason = status.reason.as_deref().unwrap_or("the pod failed");
    let status = match &status.message {
        Some(message) => format!("{reason}: {}", one_line(message)),
        None => reason.to_owned(),
    };
    Some(Ended {
        container: pod.metadata.uid.clone().unwrap_or_default(),
        code: None,
        replaced: false,
        exit: ReplicaExit { status, last_lines: Vec::new() },
    })
}

/// What the kubelet waits for.
fn waits(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let gate = status.init_container_statuses.iter().flatten().find(|gate| gate.name == GATE);
    gate.and_then(|gate| waits_for(pod, gate)).or_else(|| waits_for(pod, container(pod)?))
}

fn waits_for(pod: &Pod, status: &ContainerStatus) -> Option<Trouble> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    let (kind, _) = hindrance::of_waiting(waiting.reason.as_deref()?, message)?;
    let reason = match kind {
        TroubleKind::Crash => {
            return Some(crash(status, status.last_state.as_ref()?.terminated.as_ref()?, pod));
        }
        TroubleKind::Image => format!("cannot pull the image {}: {}", status.image, words(waiting)),
        _ => format!("its container cannot be made: {}", words(waiting)),
    };
    Some(Trouble { kind, reason })
}

/// A container that ended again. The kubelet says that it waits only at its next
/// look at the pod, ten seconds later; that it will wait follows from its rules: it
/// starts a container at once after the first end alone, and after ten good minutes
/// (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `doBackOff`).
fn crashes(pod: &Pod) -> Option<Trouble> {
    let status = container(pod)?;
    let end = status.state.as_ref()?.terminated.as_ref()?;
    let lived = end.finished_at.as_ref()?.0.duration_since(end.started_at.as_ref()?.0);
    let waits = status.restart_count > 0 && lived < RECOVERED;
    waits.then(|| crash(status, end, pod))
}

fn crash(status: &ContainerStatus, end: &ContainerStateTerminated, pod: &Pod) -> Trouble {
    let ends = status.restart_count + 1;
    let times = if ends == 1 { "once".to_owned() } else { format!("{ends} times") };
    let reason = format!("it ended {times} (CrashLoopBackOff): {}", exit(end, pod));
    Trouble { kind: TroubleKind::Crash, reason }
}

/// What befell a pod before its container: told by events alone.
fn warned(pod: &Pod, warnings: &[&Event]) -> Option<Trouble> {
    if has_started(pod) {
        return None;
    }
    let event = hindrance::of_sandbox(pod.metadata.uid.as_deref(), warnings)?;
    let message = one_line(event.message.as_deref().unwrap_or_default());
    let reason = event.reason.as_deref().unwrap_or_default();
    Some(Trouble {
        kind: TroubleKind::Sandbox,
        reason: format!("its pod cannot be set up ({reason}): {message}"),
    })
}

fn unschedulable(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    let message = one_line(condition.message.as_deref().unwrap_or_default());
    Some(Trouble {
        kind: TroubleKind::Schedule,
        reason: format!("no node takes its pod (Unschedulable): {message}"),
    })
}

/// A ReplicaSet that may make no pods (`pkg/controller/replicaset/replica_set_utils.go`):
/// each run has its own, so that what is said is said of this run.
fn no_pods(set: &ReplicaSet) -> Option<Trouble> {
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    Some(not_created(condition.reason.as_deref(), condition.message.as_deref()))
}

/// A Deployment that may make no ReplicaSet (`pkg/controller/deployment/util/deployment_util.go`).
fn no_replica_set(deployment: &Deployment) -> Option<Trouble> {
    let status = deployment.status.as_ref()?;
    if status.observed_generation < deployment.metadata.generation {
        return None;
    }
    let condition = status.conditions.as_ref()?.iter().find(|condition| {
        condition.type_ == "Progressing"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("ReplicaSetCreateError")
    })?;
    Some(not_created(condition.reason.as_deref(), condition.message.as_deref()))
}

fn not_created(reason: Option<&str>, message: Option<&str>) -> Trouble {
    let (reason, message) = (reason.unwrap_or("refused"), message.unwrap_or_default());
    Trouble {
        kind: TroubleKind::Create,
        reason: format!("no pod may be made for it ({reason}): {}", one_line(message)),
    }
}

fn exit(end: &ContainerStateTerminated, pod: &Pod) -> ReplicaExit {
    let status = match (end.reason.as_deref(), end.signal) {
        (Some("OOMKilled"), _) => out_of_memory(pod),
        (None | Some("Error" | "Completed"), Some(signal)) if signal != 0 => {
            format!("signal: {signal}")
        }
        (None | Some("Error" | "Completed"), _) => format!("exit status: {}", end.exit_code),
        (Some(reason), _) => format!("{reason} (exit status: {})", end.exit_code),
    };
    let message = end.message.as_deref().unwrap_or_default();
    ReplicaExit { status, last_lines: last_lines(message, end.exit_code) }
}

/// What is said of a chaincode that the kernel killed for want of memory.
pub(crate) fn out_of_memory(pod: &Pod) -> String {
    match limit(pod, "memory") {
        Some(limit) => format!("it used more memory than its limit of {limit} (OOMKilled)"),
        None => "it used more memory than there was (OOMKilled)".into(),
    }
}

/// What tells most of the output of a container that ended with the code.
pub(crate) fn last_lines(output: &str, code: i32) -> Vec<String> {
    let mut lines = LastLines::default();
    let own = output.lines().filter(|line| Report::read(line).is_none());
    own.filter(|line| !line.trim().is_empty()).for_each(|line| lines.remember(line));
    lines.of_end(Some(code))
}

fn limit(pod: &Pod, resource: &str) -> Option<String> {
    let containers = &pod.spec.as_ref()?.containers;
    let container = containers.iter().find(|container| container.name == CONTAINER)?;
    Some(container.resources.as_ref()?.limits.as_ref()?.get(resource)?.0.clone())
}

fn words(waiting: &ContainerStateWaiting) -> String {
    let reason = waiting.reason.as_deref().unwrap_or_default();
    match waiting.message.as_deref() {
        Some(message) if !message.is_empty() => format!("{reason}: {}", one_line(message)),
        _ => reason.into(),
    }
}

fn one_line(text: &str) -> String {
    text.trim().replace('\n', " | ")
}

#[cfg(test)]
mod tests;
