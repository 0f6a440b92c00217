//! One timer for many moments, of which mostly none comes.

use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is set anew only for an earlier moment: later ones are common, and
/// a wake-up in vain once in a while is cheaper than to set it with each message.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Alarm {
    /// Wakes at `moment`, or sooner.
    pub(crate) fn set(&mut self, moment: Option<Instant>, waker: &Waker) {
        let Some(moment) = moment.filter(|next| self.armed.is_none_or(|armed| *next < armed))
        else {
            return;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(moment)));
        sleep.as_mut().reset(moment);
        self.armed = Some(moment);
        if sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }

    /// The time, if it was set for a moment that has come.
    pub(crate) fn rung(&mut self, waker: &Waker) -> Option<Instant> {
        self.armed?;
        let sleep = self.sleep.as_mut()?;
        if sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
            return None;
        }
        self.armed = None;
        Some(Instant::now())
    }
}
