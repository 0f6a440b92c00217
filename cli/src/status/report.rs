//! What a launcher has told of itself, as it is shown.

use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proto::launcher::{
    self as told, ChaincodeStatus, ImageReference, LauncherStatus, ReplicaState, ReplicaStatus,
    RunState, StatusResponse, Traffic,
};
use serde::Serialize;

use super::latency::Latency;
use crate::moment::Moment;

/// What `--json` prints. Keys may be added to it, and none changes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) launcher: Launcher,
    /// All runs, by package ID, MSP ID and peer.
    pub(super) chaincodes: Vec<Chaincode>,
}

/// How the launcher is.
#[derive(Debug, Serialize)]
pub(super) struct Launcher {
    pub(super) version: String,
    /// `local` or `kubernetes`.
    pub(super) backend: String,
    /// The peer's name; null before the launcher has looked around.
    pub(super) peer: Option<String>,
    /// Why it does not let builders in; null when it does.
    pub(super) closed: Option<String>,
    /// Why what the operator's file says now is not in force; null when it is.
    pub(super) file_refused: Option<String>,
    /// What chaincode is not kept from that it could be elsewhere, a sentence each.
    pub(super) unconfined: Vec<String>,
}

/// How a chaincode is.
#[derive(Debug, Serialize)]
pub(super) struct Chaincode {
    pub(super) package_id: String,
    pub(super) msp_id: String,
    /// The peer's name, of a launcher that is apart from its peers; null otherwise.
    pub(super) peer: Option<String>,
    /// Where the peer listens for chaincode.
    pub(super) peer_address: String,
    /// `NAME@DIGEST`.
    pub(super) image: Option<String>,
    /// `local` or `kubernetes`.
    pub(super) backend: String,
    /// Of its Deployment; null on another backend, and before it was started.
    pub(super) namespace: Option<String>,
    pub(super) deployment: Option<String>,
    /// `service` or `function`; null before it was started.
    pub(super) mode: Option<&'static str>,
    /// Null before it was started.
    pub(super) replicas_wanted: Option<u32>,
    pub(super) replicas_registered: u32,
    /// How many have registered in this run.
    pub(super) replicas_started: u64,
    /// How many have ended in this run and were not to.
    pub(super) replicas_ended: u64,
    /// Those that there are.
    pub(super) replicas: Vec<Replica>,
    /// How many processes there may be at once in function mode, where those wanted are those that
    /// are called for; null in service mode.
    pub(super) function_processes: Option<u32>,
    /// `starting`, `ready`, `changing`, `ending`; `unknown` if only a newer command line knows it.
    pub(super) state: &'static str,
    /// When that began.
    pub(super) since: Moment,
    /// What is lifted of its pods' security, by the names of `allow`.
    pub(super) lifted: Vec<String>,
    /// What it waits for or what went wrong with it, the latest first.
    pub(super) reasons: Vec<Reason>,
    /// What the last failed transaction of this run was told; the chaincode may have written it.
    pub(super) last_error: Option<Reason>,
    pub(super) transactions: Transactions,
    /// What transactions of this run took, in seconds; null before one has ended.
    pub(super) latency: Option<Latency>,
    /// The length of all messages, in this run; null before it was started.
    pub(super) bytes: Option<Bytes>,
}

/// A replica.
#[derive(Debug, Serialize)]
pub(super) struct Replica {
    pub(super) name: String,
    /// Null before it is known, and on a backend that has none.
    pub(super) node: Option<String>,
    /// `registered`, `unregistered` or `leaving`; `unknown` if only a newer command line knows it.
    pub(super) state: &'static str,
    pub(super) since: Moment,
}

/// The length of all messages.
#[derive(Debug, Serialize)]
pub(super) struct Bytes {
    pub(super) from_peer: u64,
    pub(super) to_peer: u64,
}

/// How many transactions there are now, and what became of those whose replicas ended, in this run.
#[derive(Debug, Serialize)]
pub(super) struct Transactions {
    /// Replicas have them, or they wait for one.
    pub(super) in_flight: u32,
    /// How many the peer has begun; null before it was started, and where the launcher does not tell.
    pub(super) begun: Option<u64>,
    /// How many of these failed.
    pub(super) failed: Option<u64>,
    pub(super) run_again: u64,
    /// Answered with an error.
    pub(super) answered: u64,
    /// Of those that were run again, how many did something else.
    pub(super) differed: u64,
}

/// Something that explains a state, or has gone wrong.
#[derive(Debug, Serialize)]
pub(super) struct Reason {
    pub(super) text: String,
    pub(super) since: Moment,
}

impl Report {
    pub(super) fn of(answer: StatusResponse) -> Self {
        let launcher = Launcher::of(answer.launcher.unwrap_or_default());
        let chaincodes = answer.chaincodes.into_iter();
        let chaincodes = chaincodes.map(|told| Chaincode::of(told, &launcher.backend)).collect();
        Self { launcher, chaincodes }
    }
}

impl Launcher {
    fn of(told: LauncherStatus) -> Self {
        let LauncherStatus { version, backend, peer, closed, file_refused, unconfined } = told;
        Self {
            version,
            backend,
            peer: said(peer),
            closed: said(closed),
            file_refused: said(file_refused),
            unconfined,
        }
    }
}

impl Chaincode {
    fn of(told: ChaincodeStatus, backend: &str) -> Self {
        let state = state(told.state());
        let replicas_wanted = told.place.is_some().then_some(told.replicas_wanted);
        let mode = told.place.is_some().then_some(match told.function_processes {
            0 => "service",
            _ => "function",
        });
        let (begun, failed) = told.traffic.as_ref().map(|it| (it.begun, it.failed)).unzip();
        let latency = told.traffic.as_ref().and_then(Latency::of);
        let bytes = told.traffic.as_ref().map(|traffic| Bytes {
            from_peer: traffic.bytes_from_peer,
            to_peer: traffic.bytes_to_peer,
        });
        let (namespace, deployment) = match told.place {
            Some(Place::Kubernetes(place)) => (Some(place.namespace), Some(place.deployment)),
            Some(Place::Local(_)) | None => (None, None),
        };
        Self {
            package_id: told.package_id,
            msp_id: told.msp_id,
            peer: said(told.peer),
            peer_address: told.peer_address,
            image: told.image.map(|ImageReference { name, digest, .. }| format!("{name}@{digest}")),
            backend: backend.to_owned(),
            namespace,
            deployment,
            mode,
            replicas_wanted,
            replicas_registered: told.replicas_registered,
            replicas_started: told.replicas_started,
            replicas_ended: told.replicas_ended,
            replicas: told.replicas.into_iter().map(Replica::of).collect(),
            function_processes: Some(told.function_processes).filter(|most| *most > 0),
            state,
            since: Moment::of(told.state_since),
            lifted: told.lifted,
            reasons: told.reasons.into_iter().map(Reason::of).collect(),
            last_error: told
                .traffic
                .and_then(|Traffic { last_failure, .. }| last_failure)
                .map(Reason::of),
            transactions: Transactions {
                in_flight: told.transactions_in_flight,
                begun,
                failed,
                run_again: told.transactions_run_again,
                answered: told.transactions_answered,
                differed: told.transactions_differed,
            },
            latency,
            bytes,
        }
    }
}

impl Replica {
    fn of(told: ReplicaStatus) -> Self {
        let state = match told.state() {
            ReplicaState::Unspecified => "unknown",
            ReplicaState::Unregistered => "unregistered",
            ReplicaState::Registered => "registered",
            ReplicaState::Leaving => "leaving",
        };
        let ReplicaStatus { name, node, since, .. } = told;
        Self { name, node: said(node), state, since: Moment::of(since) }
    }
}

impl Reason {
    fn of(told::Reason { text, since }: told::Reason) -> Self {
        Self { text, since: Moment::of(since) }
    }
}

/// What the launcher leaves empty is not so.
fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Unspecified => "unknown",
        RunState::Starting => "starting",
        RunState::Ready => "ready",
        RunState::Changing => "changing",
        RunState::Ending => "ending",
    }
}
