//! How the proxy waits for the next message: asleep, awake, or by the clock.
//!
//! To be woken costs the waker more than the message itself does, and the woken one some
//! ten microseconds. So the proxy sleeps only when it pays:
//!
//! - With one or two quick transactions in flight the next message is about to come: it stays
//!   awake for a moment, and lets others have the processor if they want it.
//! - In a crowd of transactions messages come all the time, and one wake-up for each is what a
//!   busy machine spends its time on. There it looks for them by the clock, as network drivers
//!   do, takes what has come meanwhile, and hands it on in as few writes. The clock's step is a
//!   part of what an answer takes anyway, so a fast exchange is never slowed down much.

use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// How long it stays awake for a message, and what an answer may take for that to make sense.
const AWAKE: Duration = Duration::from_micros(200);

/// Up to how many transactions in flight it stays awake: it costs a part of a processor.
const FEW: usize = 2;

/// Who gave way for longer than this shares the processor with others that need it.
const GAVE_WAY: Duration = Duration::from_micros(50);

/// The clock's step as a part of what an answer takes, and its bounds: a timer costs something
/// too, and other things than messages wait for the proxy.
const PART: u32 = 2;
const STEP: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(200)..=Duration::from_millis(1);

/// How many messages a step must bring to be worth it.
const CROWD: f64 = 4.0;

/// After how many messages the time that an answer takes is measured anew.
const SAMPLE: u32 = 64;

/// What to do before looking for messages again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// To let others run, if someone wants to.
    GiveWay,
    /// Nothing for so long.
    Nap(Duration),
}

/// What is known of the traffic.
pub(crate) struct Pace {
    turned: Instant,
    passed: u64,
    in_flight: usize,
    /// When the last message came.
    heard: Instant,
    /// Others needed the processor since.
    gave_way: bool,
    /// The time that all transactions in flight took together, and the messages of that time.
    taken: Duration,
    messages: u32,
    /// What passes between a message and the answer to it.
    answer: Option<Duration>,
}

impl Pause {
    /// Blocks the thread, which does nothing else than what it pauses from.
    pub(crate) async fn take(self) {
        match self {
            Self::GiveWay => thread::yield_now(),
            // The runtime's own timers know milliseconds only.
            Self::Nap(time) => thread::sleep(time),
        }
        // The runtime asks the kernel for news before it comes back.
        tokio::task::yield_now().await;
    }
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            turned: now,
            passed: 0,
            in_flight: 0,
            heard: now,
            gave_way: false,
            taken: Duration::ZERO,
            messages: 0,
            answer: None,
        }
    }

    /// What to do at the end of a turn, when `passed` messages came so far and `in_flight`
    /// transactions wait for one; nothing is to wait until woken.
    pub(crate) fn turn(&mut self, now: Instant, passed: u64, in_flight: usize) -> Option<Pause> {
        self.measure(now, passed, in_flight);
        let answer = self.answer?;
        let silence = now - self.heard;
        if in_flight == 0 {
            return None;
        }
        if in_flight <= FEW {
            let is_near = answer <= AWAKE && silence <= AWAKE;
            return (is_near && !self.gave_way).then_some(Pause::GiveWay);
        }
        // They are stuck, maybe for as long as the replica lives: the peer gives up without a word.
        if silence > answer {
            return None;
        }
        let step = (answer / PART).min(*STEP.end());
        let brings =
            step.div_duration_f64(answer) * u32::try_from(in_flight).map_or(0.0, f64::from);
        (STEP.contains(&step) && brings >= CROWD).then_some(Pause::Nap(step))
    }

    /// By Little's law: what is in flight on average is the rate times the time that each takes.
    fn measure(&mut self, now: Instant, passed: u64, in_flight: usize) {
        let turn = now - self.turned;
        self.taken += turn * u32::try_from(self.in_flight).unwrap_or(u32::MAX);
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
        self.messages = self.messages.saturating_add(came);
        if self.messages >= SAMPLE {
            self.answer = Some(self.taken / self.messages);
            (self.taken, self.messages) = (Duration::ZERO, 0);
        }
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
            let mut traffic = Self { pace: Pace::new(now), now, passed: 0, in_flight };
            let apart = answer / u32::try_from(in_flight).unwrap();
            traffic.after(Duration::ZERO, 0);
            for _ in 0..SAMPLE {
                traffic.after(apart, 1);
            }
            traffic
        }

        fn after(&mut self, time: Duration, messages: u64) -> Option<Pause> {
            self.now += time;
            self.passed += messages;
            self.pace.turn(self.now, self.passed, self.in_flight)
        }
    }

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn sleeps_until_it_knows_the_traffic() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.turn(now + micros(50), 1, 1), None);
        assert_eq!(pace.turn(now + micros(100), 2, 64), None);
    }

    #[test]
    fn stays_awake_for_a_quick_answer_and_no_longer_than_it_takes() {
        let mut traffic = Traffic::of(1, micros(100));
        assert_eq!(traffic.after(micros(100), 1), Some(Pause::GiveWay));
        let pauses: Vec<_> = (0..20).map(|_| traffic.after(micros(20), 0)).collect();
        let awake = pauses.iter().take_while(|pause| **pause == Some(Pause::GiveWay)).count();
        assert_eq!(micros(20) * u32::try_from(awake).unwrap(), AWAKE);
        assert_eq!(pauses[awake..], vec![None; 20 - awake]);
    }

    #[test]
    fn sleeps_when_others_need_the_processor() {
        let mut traffic = Traffic::of(1, micros(100));
        assert_eq!(traffic.after(GAVE_WAY + micros(1), 0), None);
        assert_eq!(traffic.after(micros(1), 0), None);
        assert_eq!(traffic.after(micros(1), 1), Some(Pause::GiveWay), "after the next message");
    }

    #[test]
    fn sleeps_for_a_slow_answer_and_for_none() {
        assert_eq!(Traffic::of(1, micros(5000)).after(micros(1), 1), None);
        let mut traffic = Traffic::of(1, micros(100));
        traffic.in_flight = 0;
        assert_eq!(traffic.after(micros(1), 1), None);
    }

    #[test]
    fn sleeps_when_a_crowd_falls_silent() {
        let mut traffic = Traffic::of(64, micros(1200));
        assert_eq!(traffic.after(micros(1200), 0), Some(Pause::Nap(micros(600))));
        assert_eq!(traffic.after(micros(1), 0), None, "all of them are stuck");
        assert_eq!(traffic.after(micros(5000), 1), Some(Pause::Nap(micros(600))));
    }

    #[test]
    fn looks_by_the_clock_in_a_crowd() {
        let nap = |in_flight, answer| Traffic::of(in_flight, answer).after(micros(1), 1);
        assert_eq!(nap(64, micros(1200)), Some(Pause::Nap(micros(600))));
        assert_eq!(nap(64, micros(4000)), Some(Pause::Nap(*STEP.end())));
        assert_eq!(nap(64, micros(300)), None, "a step so short costs more than it saves");
        assert_eq!(nap(6, micros(1200)), None, "three messages are not worth a timer");
        assert_eq!(nap(1000, Duration::from_secs(10)), None, "of a second's step they are few");
    }
}
