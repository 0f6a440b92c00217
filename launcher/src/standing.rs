//! Where a run of a chaincode stands: said by what drives the run, told to who asks for the
//! launcher's status.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use selvedge_proto::launcher::{ChaincodeStatus, Reason, RunStart, RunState, Traffic};
use selvedge_proxy::{BOUNDS, Figures, ReplicaPlace, Snapshot};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::epoch::seconds;
use crate::error_chain::bounded;
use crate::roll::Roll;

/// Where one run stands, for as long as anybody has it.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    told: watch::Sender<ChaincodeStatus>,
    /// What its proxy has had to do, once there is one.
    figures: Arc<OnceLock<Figures>>,
    /// Its sets of replicas.
    sets: Arc<Mutex<Vec<SetStanding>>>,
}

/// How a set of replicas is.
#[derive(Clone, Debug)]
pub(crate) struct SetStanding {
    /// Those that are there.
    pub(crate) roll: Roll,
    /// Those of them that are registered.
    pub(crate) registered: Vec<ReplicaPlace>,
}

impl Standing {
    /// That of a run which has been called for.
    pub(crate) fn new(start: &RunStart, caller: &Caller) -> Self {
        let status = ChaincodeStatus {
            package_id: start.package_id.clone(),
            msp_id: start.msp_id.clone(),
            peer_address: start.peer_address.clone(),
            peer: caller.peer().to_owned(),
            image: start.image.clone(),
            state: RunState::Starting.into(),
            state_since: seconds(SystemTime::now()),
            ..ChaincodeStatus::default()
        };
        Self { told: watch::Sender::new(status), figures: Arc::default(), sets: Arc::default() }
    }

    /// Where it stands now.
    pub(crate) fn now(&self) -> ChaincodeStatus {
        let mut status = self.told.borrow().clone();
        if let Some(figures) = self.figures.get().map(Figures::now) {
            status.transactions_in_flight = figures.in_flight.try_into().unwrap_or(u32::MAX);
            status.traffic = Some(traffic(figures));
        }
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let replicas = sets.iter().flat_map(|set| set.roll.call(&set.registered));
        status.replicas = replicas.collect();
        status
    }

    /// What its proxy has had to do is told from now on.
    pub(crate) fn has(&self, figures: &Figures) {
        // There is one proxy in a run.
        let _ = self.figures.set(figures.clone());
    }

    /// It has these sets of replicas.
    pub(crate) fn has_sets(&self, sets: Vec<SetStanding>) {
        *self.sets.lock().unwrap_or_else(PoisonError::into_inner) = sets;
    }

    /// It is somewhere else; a state that is another one begins now.
    pub(crate) fn is(&self, change: impl FnOnce(&mut ChaincodeStatus)) {
        self.told.send_modify(|status| {
            let before = status.state;
            change(status);
            if status.state != before {
                status.state_since = seconds(SystemTime::now());
            }
        });
    }

    /// It waits for something.
    pub(crate) fn waits(&self, reason: &str) {
        self.is(|status| status.reasons = vec![known(reason)]);
    }

    /// It ends, for this reason.
    pub(crate) fn ends(&self, reason: &str) {
        self.is(|status| {
            status.set_state(RunState::Ending);
            status.reasons = vec![known(reason)];
        });
    }
}

/// A reason that is known from now on.
pub(crate) fn known(reason: &str) -> Reason {
    Reason { text: bounded(reason).replace('\n', " | "), since: seconds(SystemTime::now()) }
}

fn traffic(figures: Snapshot) -> Traffic {
    Traffic {
        begun: figures.begun,
        failed: figures.failed,
        last_failure: figures.last_failure.map(|failure| Reason {
            text: failure.text.replace('\n', " | "),
            since: seconds(failure.at),
        }),
        took: figures.took.to_vec(),
        bounds: BOUNDS.iter().map(Duration::as_secs_f64).collect(),
        seconds: figures.time.as_secs_f64(),
        bytes_from_peer: figures.bytes_from_peer,
        bytes_to_peer: figures.bytes_to_peer,
    }
}
