//! Asks the other end of an idle connection whether it is still there.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::Instant;

/// How the other end is asked.
pub(crate) trait Probe {
    /// Asks; whether it can be asked.
    fn ask(&mut self) -> bool;

    /// Whether what it was asked last was answered.
    fn is_answered(&mut self) -> bool;
}

impl Probe for PingPong {
    fn ask(&mut self) -> bool {
        self.send_ping(Ping::opaque()).is_ok()
    }

    fn is_answered(&mut self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        matches!(self.poll_pong(cx), Poll::Ready(Ok(_)))
    }
}

/// When the other end of one connection is asked.
pub(crate) struct Keepalive {
    /// How long nothing may come before it is asked.
    idle: Duration,
    /// How long its answer may take.
    patience: Duration,
    next: Instant,
    unanswered: bool,
    heard: bool,
}

impl Keepalive {
    pub(crate) fn new(idle: Duration, patience: Duration) -> Self {
        let next = Instant::now() + idle;
        Self { idle, patience, next, unanswered: false, heard: false }
    }

    /// Something came.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// How long nothing came, if the other end is to be taken for dead.
    pub(crate) fn tick(&mut self, now: Instant, probe: &mut impl Probe) -> Option<Duration> {
        if now < self.next {
            return None;
        }
        let is_answered = self.unanswered && probe.is_answered();
        if std::mem::take(&mut self.heard) || is_answered {
            self.unanswered &= !is_answered;
            self.next = now + self.idle;
        } else if self.unanswered {
            return Some(self.patience);
        } else {
            // A connection on which nothing can be asked has ended, as its streams say.
            self.unanswered = probe.ask();
            self.next = now + self.patience;
        }
        None
    }
}
