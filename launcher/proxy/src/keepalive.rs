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

/// What the silence of the other end says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It has not answered for a while: it may hang.
    Silent,
    /// It was silent, and is heard again.
    Heard,
    /// It has not answered for so long that it is to be taken for dead.
    Dead(Duration),
}

/// How often the other end is looked at that is silent.
const LOOK: Duration = Duration::from_millis(500);

/// When the other end of one connection is asked.
pub(crate) struct Keepalive {
    /// How long nothing may come before it is asked.
    idle: Duration,
    /// How long its answer may take until it is taken for silent.
    suspicion: Duration,
    /// How long it may take at all.
    patience: Duration,
    next: Instant,
    /// A question is on its way, or the answer to it.
    is_asked: bool,
    /// Since when an answer is awaited, and nothing came.
    quiet_since: Option<Instant>,
    is_silent: bool,
    heard: bool,
}

impl Keepalive {
    pub(crate) fn new(idle: Duration, suspicion: Duration, patience: Duration) -> Self {
        let next = Instant::now() + idle;
        Self {
            idle,
            suspicion,
            patience,
            next,
            is_asked: false,
            quiet_since: None,
            is_silent: false,
            heard: false,
        }
    }

    /// Something came.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// What has shown since the last call, if that is something new.
    pub(crate) fn tick(&mut self, now: Instant, probe: &mut impl Probe) -> Option<Sign> {
        if now < self.next {
            return None;
        }
        let is_answered = self.is_asked && probe.is_answered();
        if std::mem::take(&mut self.heard) || is_answered {
            self.is_asked &= !is_answered;
            self.quiet_since = None;
            self.next = now + self.idle;
            return std::mem::take(&mut self.is_silent).then_some(Sign::Heard);
        }
        let Some(since) = self.quiet_since else {
            // One question at a time: what was asked before will do. A connection on which nothing
            // can be asked has ended, as its streams say.
            self.is_asked = self.is_asked || probe.ask();
            self.quiet_since = self.is_asked.then_some(now);
            self.next = now + self.suspicion;
            return None;
        };
        let end = since + self.patience;
        if now >= end {
            return Some(Sign::Dead(self.patience));
        }
        self.next = end.min(now + LOOK);
        (!std::mem::replace(&mut self.is_silent, true)).then_some(Sign::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(2);
    const SUSPICION: Duration = Duration::from_secs(2);
    const PATIENCE: Duration = Duration::from_secs(10);

    /// The other end, which may be asked one thing at a time.
    #[derive(Default)]
    struct Other {
        asked: usize,
        answers: bool,
    }

    impl Probe for Other {
        fn ask(&mut self) -> bool {
            self.asked += 1;
            true
        }

        fn is_answered(&mut self) -> bool {
            self.answers
        }
    }

    /// What shows in so many seconds, and at which.
    fn signs(keepalive: &mut Keepalive, other: &mut Other, seconds: u32) -> Vec<(u64, Sign)> {
        let begun = keepalive.next();
        let end = begun + IDLE * seconds / 2;
        let mut signs = Vec::new();
        while keepalive.next() < end {
            let now = keepalive.next();
            let sign = keepalive.tick(now, other);
            signs.extend(sign.map(|sign| ((now - begun).as_secs(), sign)));
            if matches!(sign, Some(Sign::Dead(_))) {
                break;
            }
        }
        signs
    }

    fn new() -> Keepalive {
        Keepalive::new(IDLE, SUSPICION, PATIENCE)
    }

    #[test]
    fn one_that_answers_is_asked_again_and_again() {
        let (mut keepalive, mut other) = (new(), Other { answers: true, ..Other::default() });
        assert_eq!(signs(&mut keepalive, &mut other, 60), []);
        assert!((10..=30).contains(&other.asked), "{}", other.asked);
    }

    #[test]
    fn one_that_does_not_is_silent_first_and_dead_then() {
        let (mut keepalive, mut other) = (new(), Other::default());
        let signs = signs(&mut keepalive, &mut other, 60);
        assert_eq!(signs, [(2, Sign::Silent), (10, Sign::Dead(PATIENCE))]);
        assert_eq!(other.asked, 1);
    }

    #[test]
    fn one_that_was_silent_is_heard_again() {
        let (mut keepalive, mut other) = (new(), Other::default());
        assert_eq!(signs(&mut keepalive, &mut other, 5), [(2, Sign::Silent)]);
        keepalive.heard();
        let now = keepalive.next();
        assert_eq!(keepalive.tick(now, &mut other), Some(Sign::Heard));
        // It has not answered yet, and has all its time again.
        assert_eq!(signs(&mut keepalive, &mut other, 8), [(2, Sign::Silent)]);
        assert_eq!(other.asked, 1);
        other.answers = true;
        let now = keepalive.next();
        assert_eq!(keepalive.tick(now, &mut other), Some(Sign::Heard));
    }

    #[test]
    fn one_of_whom_something_comes_is_not_asked() {
        let (mut keepalive, mut other) = (new(), Other::default());
        for _ in 0..5 {
            keepalive.heard();
            let now = keepalive.next();
            assert_eq!(keepalive.tick(now, &mut other), None);
        }
        assert_eq!(other.asked, 0);
    }
}
