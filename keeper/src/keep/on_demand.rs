//! When a chaincode is started, and asked to end though its container is not: as the launcher wants it,
//! where it is run on demand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::{Keeper, State, Wish};
use crate::line::Stand;
use crate::ward::{Ward, lock};

impl Keeper {
    /// Has what runs end, though the container is not to.
    pub(super) fn stop(&self, ward: &Arc<Mutex<Ward>>) {
        lock(ward).signal(Signal::TERM);
        let Some(grace) = self.terms.ending.grace else { return };
        let is_there = |state: &mut State| {
            state.wish == Wish::Stop
                && state.ward.as_ref().is_some_and(|now| Arc::ptr_eq(now, ward))
        };
        // Poisoned or not, the time has passed, or there is nobody left.
        drop(self.changed.wait_timeout_while(lock(&self.state), grace, is_there));
        lock(ward).signal(Signal::KILL);
    }

    /// What ran has ended, with that status, and is started again when it is wanted.
    pub(super) fn rests(&self, code: i32) {
        let state = &mut *lock(&self.state);
        state.wish = Wish::GoOn;
        state.stands(Stand::Ended(code));
        self.changed.notify_all();
    }

    /// Returns when the chaincode is to be started; whether it is, as long as the container is there.
    pub(super) fn await_turn(&self) -> bool {
        loop {
            let state = lock(&self.state);
            let state =
                self.changed.wait_while(state, |state| state.wish != Wish::Start && !state.ends);
            if state.unwrap_or_else(PoisonError::into_inner).ends {
                return false;
            }
            if self.terms.way.is_none_or(|way| way.await_open(|time| self.stays_wanted(time))) {
                return true;
            }
        }
    }

    /// Returns after this time, or when the chaincode is not to be started any more; whether it is.
    fn stays_wanted(&self, time: Duration) -> bool {
        let is_wanted = |state: &mut State| state.wish == Wish::Start && !state.ends;
        let waited = self.changed.wait_timeout_while(lock(&self.state), time, is_wanted);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_wanted(&mut state)
    }
}
