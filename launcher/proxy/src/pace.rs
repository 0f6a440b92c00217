//! How the proxy waits for the next message: awake, asleep, or asleep and in no hurry.
//!
//! To be woken costs the waker more than the message itself does, and the woken one some
//! ten microseconds. So the proxy sleeps only when it pays:
//!
//! - With one or two quick transactions in flight the next message is about to come: it stays
//!   awake for a moment, and lets others have the processor if they want it.
//! - In a crowd of transactions messages come all the time. Each of them would wake the proxy, and
//!   on a busy machine put it in the place of who sent the message and was about to send more. There
//!   it lets others finish first (`precedence.rs`), takes what has come meanwhile, and hands it on
//!   in as few writes. It waits for no clock: a processor that is free has it run at once.

use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// How long it stays awake for a message, and what an answer may take for that to make sense.
const AWAKE: Duration = Duration::from_micros(800);

/// Up to how many transactions in flight it stays awake: it costs a part of a processor.
const FEW: usize = 2;

/// Who gave way for longer than this shares the processor with others that need it.
const GAVE_WAY: Duration = Duration::from_micros(50);

/// How many transactions in flight on average are a crowd. Of fewer each one waits for the proxy
/// alone, and to be polite on a busy machine would cost it a time slice for each message.
const CROWD: u32 = 2;

/// After how many messages the traffic is measured anew.
const SAMPLE: u32 = 64;

/// What is known of the traffic.
pub(crate) struct Pace {
    turned: Instant,
    passed: u64,
    in_flight: usize,
    /// When the last message came.
    heard: Instant,
    /// Others needed the processor since.
    gave_way: bool,
    sample: Sample,
    /// What passes between a message and the answer to it.
    answer: Option<Duration>,
    is_crowd: bool,
}

/// What came since the traffic was measured.
struct Sample {
    began: Instant,
    messages: u32,
    /// The time that all transactions in flight took together.
    taken: Duration,
}

/// Lets others have the processor, if they want it; what to do before looking for messages again.
/// Blocks the thread, which does nothing else than what it pauses from.
pub(crate) async fn give_way() {
    thread::yield_now();
    // The runtime asks the kernel for news before it comes back.
    tokio::task::yield_now().await;
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            turned: now,
            passed: 0,
            in_flight: 0,
            heard: now,
            gave_way: false,
            sample: Sample::new(now),
            answer: None,
            is_crowd: false,
        }
    }

    /// Whether to stay awake at the end of a turn, when `passed` messages came so far and
    /// `in_flight` transactions wait for one; otherwise nothing is to be done until woken.
    pub(crate) fn stays_awake(&mut self, now: Instant, passed: u64, in_flight: usize) -> bool {
        self.measure(now, passed, in_flight);
        let silence = now - self.heard;
        let is_near = self.answer.is_some_and(|answer| answer <= AWAKE) && silence <= AWAKE;
        (1..=FEW).contains(&in_flight) && is_near && !self.gave_way
    }

    /// Whether so many are in flight that the messages of several can be taken at once.
    pub(crate) fn is_crowd(&self) -> bool {
        self.is_crowd
    }

    fn measure(&mut self, now: Instant, passed: u64, in_flight: usize) {
        let turn = now - self.turned;
        self.sample.taken += turn * u32::try_from(self.in_flight).unwrap_or(u32::MAX);
        self.turned = now;
        self.in_flight = in_flight;
        let came = u32::try_from(passed - self.passed).unwrap_or(u32::MAX);
        self.passed = passed;
        if came == 0 {
            self.gave_way |= turn > GAVE_WAY;
            return;
        }
        self.heard = now;
        self.gave_way = false;
        self.sample.messages = self.sample.messages.saturating_add(came);
        if self.sample.messages >= SAMPLE {
            let sample = std::mem::replace(&mut self.sample, Sample::new(now));
            // By Little's law: what is in flight on average is the rate times what each takes.
            self.answer = Some(sample.taken / sample.messages);
            self.is_crowd = sample.taken >= (now - sample.began) * CROWD;
        }
    }
}

impl Sample {
    fn new(began: Instant) -> Self {
        Self { began, messages: 0, taken: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Traffic in which `in_flight` transactions wait at any time, and each answer takes so long.
    struct Traffic {
        pace: Pace,
        now: Instant,
        passed: u64,
        in_flight: usize,
    }

    impl Traffic {
        fn of(in_flight: usize, answer: Duration) -> Self {
            let now = Instant::now();
            let mut traffic = Self { pace: Pace::new(now), now, passed: 0, in_flight: 0 };
            traffic.becomes(in_flight, answer);
            traffic
        }

        fn becomes(&mut self, in_flight: usize, answer: Duration) {
            self.in_flight = in_flight;
            let apart = answer / u32::try_from(in_flight).unwrap();
            self.after(Duration::ZERO, 0);
            for _ in 0..SAMPLE {
                self.after(apart, 1);
            }
        }

        fn after(&mut self, time: Duration, messages: u64) -> bool {
            self.now += time;
            self.passed += messages;
            self.pace.stays_awake(self.now, self.passed, self.in_flight)
        }
    }

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn sleeps_until_it_knows_the_traffic() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert!(!pace.stays_awake(now + micros(50), 1, 1));
        assert!(!pace.stays_awake(now + micros(100), 2, 64));
        assert!(!pace.is_crowd());
    }

    #[test]
    fn stays_awake_for_a_quick_answer_and_no_longer_than_it_takes() {
        let mut traffic = Traffic::of(1, micros(100));
        assert!(traffic.after(micros(100), 1));
        let turns: Vec<_> = (0..40).map(|_| traffic.after(micros(20), 0)).collect();
        let awake = turns.iter().take_while(|awake| **awake).count();
        assert_eq!(micros(20) * u32::try_from(awake).unwrap(), AWAKE);
        assert_eq!(turns[awake..], vec![false; 40 - awake]);
    }

    #[test]
    fn sleeps_when_others_need_the_processor() {
        let mut traffic = Traffic::of(1, micros(100));
        assert!(!traffic.after(GAVE_WAY + micros(1), 0));
        assert!(!traffic.after(micros(1), 0));
        assert!(traffic.after(micros(1), 1), "after the next message");
    }

    #[test]
    fn sleeps_for_a_slow_answer_for_none_and_in_a_crowd() {
        assert!(!Traffic::of(1, micros(5000)).after(micros(1), 1));
        assert!(!Traffic::of(FEW + 1, micros(100)).after(micros(1), 1));
        let mut traffic = Traffic::of(1, micros(100));
        traffic.in_flight = 0;
        assert!(!traffic.after(micros(1), 1));
    }

    #[test]
    fn knows_a_crowd_however_fast_it_is() {
        let mut traffic = Traffic::of(1, micros(100));
        assert!(!traffic.pace.is_crowd());
        for answer in [micros(100), micros(1200), Duration::from_secs(10)] {
            traffic.becomes(64, answer);
            assert!(traffic.pace.is_crowd(), "{answer:?}");
        }
        traffic.becomes(1, micros(100));
        traffic.becomes(1, micros(100));
        assert!(!traffic.pace.is_crowd(), "it has gone");
    }

    #[test]
    fn a_few_now_and_then_are_no_crowd() {
        let mut traffic = Traffic::of(4, micros(1000));
        for _ in 0..SAMPLE {
            traffic.in_flight = 4;
            traffic.after(micros(0), 1);
            traffic.in_flight = 0;
            traffic.after(micros(1000), 1);
            traffic.after(micros(9000), 0);
        }
        assert!(!traffic.pace.is_crowd());
    }
}
