//! Where a run of a chaincode stands: said by what drives the run, told to who asks for the
//! launcher's status.

use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use selvedge_proto::launcher::{ChaincodeStatus, Reason, RunStart, RunState};
use selvedge_proxy::Load;
use tokio::sync::watch;

use crate::error_chain::bounded;

/// Where one run stands, for as long as anybody has it.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    told: watch::Sender<ChaincodeStatus>,
    /// How much there is to do, once there is a proxy.
    load: Arc<OnceLock<Load>>,
}

impl Standing {
    /// That of a run which has been called for.
    pub(crate) fn new(start: &RunStart) -> Self {
        let status = ChaincodeStatus {
            package_id: start.package_id.clone(),
            msp_id: start.msp_id.clone(),
            peer_address: start.peer_address.clone(),
            image: start.image.clone(),
            state: RunState::Starting.into(),
            state_since: seconds(SystemTime::now()),
            ..ChaincodeStatus::default()
        };
        Self { told: watch::Sender::new(status), load: Arc::default() }
    }

    /// Where it stands now.
    pub(crate) fn now(&self) -> ChaincodeStatus {
        let mut status = self.told.borrow().clone();
        let in_flight = self.load.get().map_or(0, Load::now);
        status.transactions_in_flight = in_flight.try_into().unwrap_or(u32::MAX);
        status
    }

    /// How much there is to do for it, from now on.
    pub(crate) fn has(&self, load: &Load) {
        // There is one proxy in a run.
        let _ = self.load.set(load.clone());
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

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
