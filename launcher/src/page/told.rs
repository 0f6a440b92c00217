//! What the page's script is told.

use std::time::SystemTime;

use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proto::launcher::{
    self as said, BuildState, BuildStatus, ChaincodeStatus, ImageReference, LauncherStatus,
    ReplicaState, ReplicaStatus, RunState,
};
use serde::Serialize;

use super::history::History;
use crate::epoch::milliseconds;
use crate::kept_lines::Batch;

/// All of it but logs. Times are in milliseconds since 1970.
#[derive(Serialize)]
pub(super) struct Status {
    now: i64,
    launcher: Launcher,
    chaincodes: Vec<Chaincode>,
    builds: Vec<Build>,
}

#[derive(Serialize)]
struct Launcher {
    version: String,
    backend: String,
    peer: String,
    closed: String,
    file_refused: String,
    unconfined: Vec<String>,
}

#[derive(Serialize)]
struct Chaincode {
    package_id: String,
    msp_id: String,
    /// Its name, of a launcher apart; empty otherwise.
    peer: String,
    peer_address: String,
    image: Option<String>,
    /// Empty before it was started.
    mode: &'static str,
    state: &'static str,
    since: i64,
    place: String,
    /// Null before it was started.
    wanted: Option<u32>,
    registered: u32,
    /// How many processes there may be at once in function mode; 0 in service mode.
    most: u32,
    started: u64,
    ended: u64,
    replicas: Vec<Replica>,
    lifted: Vec<String>,
    reasons: Vec<Reason>,
    last_error: Option<Reason>,
    in_flight: u32,
    begun: u64,
    failed: u64,
    run_again: u64,
    bytes_from_peer: u64,
    bytes_to_peer: u64,
    history: History,
}

#[derive(Serialize)]
struct Replica {
    name: String,
    node: String,
    state: &'static str,
    since: i64,
}

#[derive(Serialize)]
struct Reason {
    text: String,
    since: i64,
}

#[derive(Serialize)]
struct Build {
    id: u64,
    label: String,
    r#type: String,
    path: String,
    state: &'static str,
    begun: i64,
    /// 0 while it goes on.
    ended: i64,
    key: String,
    image: Option<String>,
    reason: String,
}

/// Lines of a log.
#[derive(Serialize)]
pub(super) struct LogPart {
    lines: Vec<Line>,
    /// How many before these are not kept any more.
    missed: u64,
    /// The number of the line that follows these.
    next: u64,
    /// Whether there are no more for now.
    is_all: bool,
}

#[derive(Serialize)]
struct Line {
    at: i64,
    replica: String,
    text: String,
}

impl Status {
    pub(super) fn of(
        launcher: LauncherStatus,
        chaincodes: Vec<ChaincodeStatus>,
        histories: Vec<History>,
        builds: Vec<BuildStatus>,
    ) -> Self {
        let LauncherStatus { version, backend, peer, closed, file_refused, unconfined } = launcher;
        let chaincodes = chaincodes.into_iter().zip(histories);
        Self {
            now: milliseconds(SystemTime::now()),
            launcher: Launcher { version, backend, peer, closed, file_refused, unconfined },
            chaincodes: chaincodes.map(|(told, history)| Chaincode::of(told, history)).collect(),
            builds: builds.into_iter().map(Build::of).collect(),
        }
    }
}

impl Chaincode {
    fn of(told: ChaincodeStatus, history: History) -> Self {
        let state = state(told.state());
        let mode = match (&told.place, told.function_processes) {
            (None, _) => "",
            (Some(_), 0) => "service",
            (Some(_), _) => "function",
        };
        let wanted = told.place.is_some().then_some(told.replicas_wanted);
        let place = match told.place {
            Some(Place::Kubernetes(place)) => format!("{}/{}", place.namespace, place.deployment),
            Some(Place::Local(_)) | None => String::new(),
        };
        let traffic = told.traffic.unwrap_or_default();
        Self {
            package_id: told.package_id,
            msp_id: told.msp_id,
            peer: told.peer,
            peer_address: told.peer_address,
            image: told.image.map(named),
            mode,
            state,
            since: told.state_since * 1000,
            place,
            wanted,
            registered: told.replicas_registered,
            most: told.function_processes,
            started: told.replicas_started,
            ended: told.replicas_ended,
            replicas: told.replicas.into_iter().map(Replica::of).collect(),
            lifted: told.lifted,
            reasons: told.reasons.into_iter().map(Reason::of).collect(),
            last_error: traffic.last_failure.map(Reason::of),
            in_flight: told.transactions_in_flight,
            begun: traffic.begun,
            failed: traffic.failed,
            run_again: told.transactions_run_again,
            bytes_from_peer: traffic.bytes_from_peer,
            bytes_to_peer: traffic.bytes_to_peer,
            history,
        }
    }
}

impl Replica {
    fn of(told: ReplicaStatus) -> Self {
        let state = match told.state() {
            ReplicaState::Unspecified | ReplicaState::Unregistered => "unregistered",
            ReplicaState::Registered => "registered",
            ReplicaState::Leaving => "leaving",
        };
        let ReplicaStatus { name, node, since, .. } = told;
        Self { name, node, state, since: since * 1000 }
    }
}

impl Reason {
    fn of(said::Reason { text, since }: said::Reason) -> Self {
        Self { text, since: since * 1000 }
    }
}

impl Build {
    fn of(told: BuildStatus) -> Self {
        let state = match told.state() {
            BuildState::Unspecified | BuildState::Waiting => "waiting",
            BuildState::Running => "running",
            BuildState::Done => "done",
            BuildState::Failed => "failed",
            BuildState::Abandoned => "abandoned",
        };
        let source = told.source.unwrap_or_default();
        Self {
            id: told.id,
            label: source.label,
            r#type: source.r#type,
            path: source.path,
            state,
            begun: told.begun * 1000,
            ended: told.ended * 1000,
            key: told.key,
            image: told.image.map(named),
            reason: told.reason,
        }
    }
}

impl LogPart {
    pub(super) fn of(batch: Option<Batch>, next: u64, end: u64) -> Self {
        let Batch { lines, missed } = batch.unwrap_or_default();
        let line = |line: crate::kept_lines::Line| Line {
            at: milliseconds(line.at),
            replica: line.replica.to_string(),
            text: line.text,
        };
        Self { lines: lines.into_iter().map(line).collect(), missed, next, is_all: next >= end }
    }
}

fn named(ImageReference { name, digest, .. }: ImageReference) -> String {
    format!("{name}@{digest}")
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Unspecified | RunState::Starting => "starting",
        RunState::Ready => "ready",
        RunState::Changing => "changing",
        RunState::Ending => "ending",
    }
}
