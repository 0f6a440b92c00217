//! The logs of a run's pods: each is followed from its container's start to the pod's end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::LogParams;
use selvedge_manifest::CONTAINER;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, info};

use super::ground::Ground;
use super::narrative::{Narrative, Told};
use super::pod_log;
use super::trouble::{self, Ended};
use crate::backend::{ReplicaEvent, ReplicaExit};

/// What reading the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Bytes of the last lines that are read.
const LAST_BYTES: i64 = 64 << 10;

/// How a chaincode ended last that is started on demand.
#[derive(Debug)]
pub(crate) struct LastEnd {
    /// When that was read.
    pub(crate) at: Instant,
    pub(crate) exit: ReplicaExit,
}

/// The same of each pod, by its UID.
pub(crate) type LastEnds = HashMap<String, LastEnd>;

/// The logs that are followed; dropping them ends that.
pub(crate) struct FollowedLogs {
    ground: Arc<Ground>,
    /// Who takes the lines.
    events: mpsc::Sender<ReplicaEvent>,
    /// Where is said how those ended that are started on demand.
    ends: watch::Sender<LastEnds>,
    /// By the pod's UID.
    logs: HashMap<String, FollowedLog>,
}

struct FollowedLog {
    /// The container has started anew.
    again: Arc<Notify>,
    restarts: i32,
    /// When the chaincode was last started again within the container, if it was.
    restarted: watch::Receiver<Option<SystemTime>>,
    _task: AbortOnDropHandle<()>,
}

impl FollowedLogs {
    /// Follows none yet.
    pub(crate) fn new(ground: Arc<Ground>, events: mpsc::Sender<ReplicaEvent>) -> Self {
        let (ends, _) = watch::channel(LastEnds::new());
        Self { ground, events, ends, logs: HashMap::new() }
    }

    /// How chaincode ended that is started on demand.
    pub(crate) fn last_ends(&self) -> watch::Receiver<LastEnds> {
        self.ends.subscribe()
    }

    /// Whether no pod's log is followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Lets go of the pods that are gone; `there` are the UIDs of the others.
    pub(crate) fn retain(&mut self, there: &[String]) {
        self.logs.retain(|uid, _| there.contains(uid));
        // Nobody waits for that.
        self.ends.send_if_modified(|ends| {
            ends.retain(|uid, _| there.contains(uid));
            false
        });
    }

    /// Follows the pod's log, once its container has started; again when that was started anew.
    pub(crate) fn follow(&mut self, pod: &Pod) {
        self.follow_since(pod, None);
    }

    /// Follows the log of a pod that an earlier run has left, from that time on; not the lines before,
    /// which that run has told.
    pub(crate) fn take_up(&mut self, pod: &Pod, begun: Timestamp) {
        self.follow_since(pod, Some(begun));
    }

    fn follow_since(&mut self, pod: &Pod, since: Option<Timestamp>) {
        let Some(uid) = pod.uid().filter(|_| trouble::has_started(pod)) else {
            return;
        };
        let restarts = trouble::restarts(pod);
        if let Some(log) = self.logs.get_mut(&uid) {
            if log.restarts != restarts {
                log.restarts = restarts;
                log.again.notify_one();
            }
            return;
        }
        let (name, node) =
            (pod.name_any(), pod.spec.as_ref().and_then(|spec| spec.node_name.clone()));
        info!(pod = name, node, "pod has started");
        let again = Arc::new(Notify::new());
        let (api, events) = (self.ground.api::<Pod>(), self.events.clone());
        let mut narrative = Narrative::new(trouble::out_of_memory(pod), since.is_some());
        let (started, restarted) = watch::channel(None);
        let follow = {
            let (again, ends, pod) = (Arc::clone(&again), self.ends.clone(), uid.clone());
            async move {
                let (sink, mut lines) = mpsc::channel(64);
                let replica: Arc<str> = name.as_str().into();
                let relay = async {
                    'told: while let Some(line) = lines.recv().await {
                        let told = match narrative.line(line) {
                            Told::Line(line) => {
                                vec![ReplicaEvent::Wrote { replica: Arc::clone(&replica), line }]
                            }
                            Told::Aside(line) => {
                                debug!(target: "chaincode", line);
                                Vec::new()
                            }
                            Told::Again(told, next_start) => {
                                started.send_replace(Some(next_start));
                                told
                            }
                            Told::Rests(exit) => {
                                let end = LastEnd { at: Instant::now(), exit };
                                ends.send_modify(|ends| drop(ends.insert(pod.clone(), end)));
                                Vec::new()
                            }
                        };
                        for event in told {
                            if events.send(event).await.is_err() {
                                break 'told;
                            }
                        }
                    }
                    drop(lines);
                };
                let reading = pod_log::follow(api, name, CONTAINER, since, sink, &again);
                tokio::join!(reading, relay);
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(follow.in_current_span()));
        self.logs.insert(uid, FollowedLog { again, restarts, restarted, _task: task });
    }

    /// Since when the pod's chaincode runs, if it does, as far as is known: for as long as its
    /// container, or since its keeper has started it again.
    pub(crate) fn runs_since(&self, pod: &Pod) -> Option<SystemTime> {
        let container = trouble::runs_since(pod)?;
        let log = self.logs.get(pod.metadata.uid.as_ref()?);
        log.and_then(|log| *log.restarted.borrow()).max(Some(container))
    }

    /// The last lines by the pod's log, which has more of them than its status:
    /// the first lines of a long crash among them.
    pub(crate) async fn last_lines(&self, pod: &Pod, end: &Ended) -> Option<Vec<String>> {
        let code = end.code?;
        let parameters = LogParams {
            container: Some(CONTAINER.into()),
            previous: end.replaced,
            limit_bytes: Some(LAST_BYTES),
            tail_lines: Some(500),
            ..LogParams::default()
        };
        let api = self.ground.api::<Pod>();
        let log = timeout(LAST_LINES, api.logs(&pod.name_any(), &parameters)).await.ok()?.ok()?;
        // Started anew in the meantime, the container has another log.
        let is_its = end.exit.last_lines.last().is_none_or(|last| log.contains(last.as_str()));
        is_its.then(|| trouble::last_lines(&log, code))
    }
}
