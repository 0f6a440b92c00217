//! What a launcher has told of itself, as it is shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proto::launcher::{
    self as told, ChaincodeStatus, ImageReference, LauncherStatus, RunState, StatusResponse,
};
use serde::{Serialize, Serializer};

/// The last second that has four digits for its year.
const LAST: u64 = 253_402_300_799;

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
}

/// How a chaincode is.
#[derive(Debug, Serialize)]
pub(super) struct Chaincode {
    pub(super) package_id: String,
    pub(super) msp_id: String,
    /// Where the peer listens for chaincode.
    pub(super) peer_address: String,
    /// `NAME@DIGEST`.
    pub(super) image: Option<String>,
    /// `local` or `kubernetes`.
    pub(super) backend: String,
    /// Of its Deployment; null on another backend, and before it was started.
    pub(super) namespace: Option<String>,
    pub(super) deployment: Option<String>,
    /// Null before it was started.
    pub(super) replicas_wanted: Option<u32>,
    pub(super) replicas_registered: u32,
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
    pub(super) transactions: Transactions,
}

/// How many transactions there are now, and what became of those whose replicas ended, in this run.
#[derive(Debug, Serialize)]
pub(super) struct Transactions {
    /// Replicas have them, or they wait for one.
    pub(super) in_flight: u32,
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

/// A time, printed as RFC 3339 has it, in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(SystemTime);

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
        let LauncherStatus { version, backend, peer, closed, file_refused } = told;
        Self {
            version,
            backend,
            peer: said(peer),
            closed: said(closed),
            file_refused: said(file_refused),
        }
    }
}

impl Chaincode {
    fn of(told: ChaincodeStatus, backend: &str) -> Self {
        let state = state(told.state());
        let replicas_wanted = told.place.is_some().then_some(told.replicas_wanted);
        let (namespace, deployment) = match told.place {
            Some(Place::Kubernetes(place)) => (Some(place.namespace), Some(place.deployment)),
            Some(Place::Local(_)) | None => (None, None),
        };
        Self {
            package_id: told.package_id,
            msp_id: told.msp_id,
            peer_address: told.peer_address,
            image: told.image.map(|ImageReference { name, digest, .. }| format!("{name}@{digest}")),
            backend: backend.to_owned(),
            namespace,
            deployment,
            replicas_wanted,
            replicas_registered: told.replicas_registered,
            function_processes: Some(told.function_processes).filter(|most| *most > 0),
            state,
            since: Moment::of(told.state_since),
            lifted: told.lifted,
            reasons: told.reasons.into_iter().map(Reason::of).collect(),
            transactions: Transactions {
                in_flight: told.transactions_in_flight,
                run_again: told.transactions_run_again,
                answered: told.transactions_answered,
                differed: told.transactions_differed,
            },
        }
    }
}

impl Reason {
    fn of(told::Reason { text, since }: told::Reason) -> Self {
        Self { text, since: Moment::of(since) }
    }
}

impl Moment {
    fn of(seconds: i64) -> Self {
        let seconds = u64::try_from(seconds).unwrap_or_default().min(LAST);
        Self(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// How long ago it was; nothing for one that is to come by this machine's clock.
    pub(super) fn before(self, now: SystemTime) -> Duration {
        now.duration_since(self.0).unwrap_or_default()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(self.0))
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
