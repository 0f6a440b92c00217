//! When a chaincode is started, and ended though its container is not: as the launcher wants it, where
//! it is run on demand.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::{Keeper, State, Wish, spawn};
use crate::demand::{Order, Stand, orders};
use crate::report::{LET_GO, say};
use crate::ward::{Ward, lock};

impl Keeper {
    /// Does what the launcher wants, which is whoever has dialled last.
    pub(super) fn attend(self: &Arc<Self>, listener: &TcpListener) {
        // One that was gone before it was taken up is nobody.
        for stream in listener.incoming().flatten() {
            let Ok(line) = stream.try_clone() else { continue };
            self.take_line(stream);
            let heeding = Arc::clone(self);
            // Without a thread for it nobody is heard there, and dials again.
            let _ = spawn(move || orders(line).for_each(|order| heeding.obey(order)));
        }
    }

    fn take_line(&self, stream: TcpStream) {
        let state = &mut *lock(&self.state);
        state.line.replace(stream, state.stand);
    }

    fn obey(self: &Arc<Self>, order: Order) {
        let state = &mut *lock(&self.state);
        let runs = state.stand == Stand::Runs;
        match order {
            // What runs, runs, and is not started a second time when it has ended.
            Order::Start if runs => {}
            Order::Start => state.wish = Wish::Start,
            Order::LetGo if runs => say(&LET_GO),
            Order::LetGo => {}
            Order::Stop if !runs => state.wish = Wish::GoOn,
            Order::Stop if state.wish == Wish::Stop => {}
            Order::Stop => {
                state.wish = Wish::Stop;
                let (stopping, ward) = (Arc::clone(self), state.ward.clone());
                let _ = spawn(move || ward.iter().for_each(|ward| stopping.stop(ward)));
            }
        }
        self.changed.notify_all();
    }

    /// Has what runs end, though the container is not to.
    fn stop(&self, ward: &Arc<Mutex<Ward>>) {
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
        (state.stand, state.wish) = (Stand::Ended(code), Wish::GoOn);
        state.line.tell(state.stand);
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
