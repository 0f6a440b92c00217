//! Asks the other end of an idle connection whether it is still there.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::Instant;

/// The pings of one connection.
pub(crate) struct Keepalive {
    pings: PingPong,
    /// How long nothing may come before a ping is sent.
    idle: Duration,
    /// How long its answer may take.
    patience: Duration,
    next: Instant,
    unanswered: bool,
    heard: bool,
}

impl Keepalive {
    pub(crate) fn new(pings: PingPong, idle: Duration, patience: Duration) -> Self {
        let next = Instant::now() + idle;
        Self { pings, idle, patience, next, unanswered: false, heard: false }
    }

    /// Something came.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// To be called when the connection was polled: an answer may have come.
    pub(crate) fn polled(&mut self) {
        if self.unanswered {
            let cx = &mut Context::from_waker(Waker::noop());
            if let Poll::Ready(Ok(_)) = self.pings.poll_pong(cx) {
                self.unanswered = false;
                self.heard = true;
            }
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// How long nothing came, if the other end is to be taken for dead.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Duration> {
        if now < self.next {
            return None;
        }
        if std::mem::take(&mut self.heard) {
            self.next = now + self.idle;
        } else if self.unanswered {
            return Some(self.patience);
        } else {
            // A connection that takes no ping has ended, as its streams say.
            self.unanswered = self.pings.send_ping(Ping::opaque()).is_ok();
            self.next = now + self.patience;
        }
        None
    }
}
