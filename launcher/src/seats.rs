//! The seats of a function's processes: what is to be started and ended, and when.
//!
//! Without I/O, and for both backends: what a seat is, they know. One is taken from the start of its
//! process to its end, and counts for the proxy's wish from its start until the proxy has let it go or
//! lost it: the proxy counts as it says.

mod due;
mod reach;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::reach::Found;
use crate::backend::{Meeting, ReplicaEvent, ReplicaExit};
use crate::restarts::{RECOVERED, delay};

/// How long a process may take to end that has lost its stream.
const LINGER: Duration = Duration::from_secs(1);

/// How long the proxy's word of a process may take that has ended by then: a quick one has registered,
/// answered, and been let go before that is heard of.
pub(crate) const HEARSAY: Duration = Duration::from_millis(500);

/// How long what is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// A process may take to register.
    pub(crate) start: Duration,
    /// A call waits for a process (`chaincode.function.wait`): it is told at once where that would be
    /// in vain.
    pub(crate) call: Duration,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Start the process of a seat.
    Start(usize),
    /// End it.
    End(usize),
    /// Tell of it.
    Failed(Failure),
    /// Tell this.
    Tell(ReplicaEvent),
}

/// A process that has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seat: usize,
    /// When it was started.
    pub(crate) since: Instant,
    pub(crate) exit: ReplicaExit,
    pub(crate) how: Failing,
}

/// When a process has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// When it had registered.
    AtWork,
    /// Before, by itself.
    AtStart,
    /// It did not register in time, and was ended.
    TooSlow,
}

impl Failure {
    /// What is told of it.
    pub(crate) fn events(self) -> impl Iterator<Item = ReplicaEvent> {
        let Self { exit, how, .. } = self;
        let refused = (how != Failing::AtWork)
            .then(|| ReplicaEvent::Refused(format!("it ended before it registered: {exit}")));
        [ReplicaEvent::Exited(exit)].into_iter().chain(refused)
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) exit: ReplicaExit,
    /// With status 0.
    pub(crate) is_well: bool,
}

/// All seats of a function.
#[derive(Debug)]
pub(crate) struct Seats {
    stages: Vec<Stage>,
    /// Whether orders reach each of them.
    reached: Vec<bool>,
    /// Those that are free and reached, for the longest time first.
    free: VecDeque<usize>,
    /// How many processes have registered that have no seat.
    elsewhere: usize,
    /// Why none gets free soon, if that is known.
    hindrance: Option<String>,
    wanted: usize,
    /// Whether that was said since the last thing that bears upon it.
    is_current: bool,
    /// What is to be told.
    news: Vec<Deed>,
    failures: Failures,
    listens: bool,
    patience: Patience,
}

/// How often processes failed.
#[derive(Debug)]
struct Failures {
    /// In a row.
    count: u32,
    /// When the next one is started.
    until: Instant,
    /// How the last one failed.
    reason: String,
    /// When it is told again.
    told_until: Instant,
}

/// How far a seat's process is.
#[derive(Debug)]
enum Stage {
    /// There is none.
    Free,
    /// It has not registered.
    Starting { since: Instant },
    /// It has ended, and the proxy may yet say that it had registered.
    Ended { since: Instant, end: End, until: Instant },
    /// It has registered, with so many streams; how it has ended, if it has, until the proxy says so.
    Registered { since: Instant, streams: u32, end: Option<End> },
    /// The proxy has nothing to do with it any more; it is to be ended then, if it was not.
    Leaving { since: Instant, why: Why, until: Option<Instant> },
}

/// Why the proxy has nothing to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Released,
    Lost,
    NeverRegistered,
    /// It is an earlier run's.
    Forgotten,
}

impl Seats {
    /// So many, all of them free and reached.
    pub(crate) fn new(number: usize, listens: bool, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            stages: (0..number).map(|_| Stage::Free).collect(),
            reached: vec![true; number],
            free: (0..number).collect(),
            elsewhere: 0,
            hindrance: None,
            wanted: 0,
            is_current: true,
            news: Vec::new(),
            failures: Failures { count: 0, until: now, reason: String::new(), told_until: now },
            listens,
            patience,
        }
    }

    /// The last failure had this reason, as is known by now.
    pub(crate) fn explain(&mut self, reason: String) {
        self.failures.reason = reason;
    }

    /// So many processes are wanted.
    pub(crate) fn want(&mut self, processes: usize) {
        self.wanted = processes;
        self.is_current = true;
    }

    /// The proxy has met the process of a seat. How many are wanted then, it says next.
    pub(crate) fn met(&mut self, seat: usize, meeting: Meeting, now: Instant) {
        self.is_current = false;
        if meeting == Meeting::Joined
            && let Stage::Ended { .. } = &self.stages[seat]
            && let Stage::Ended { since, end, .. } =
                std::mem::replace(&mut self.stages[seat], Stage::Free)
        {
            self.stages[seat] = Stage::Registered { since, streams: 1, end: Some(end) };
            return;
        }
        match (&mut self.stages[seat], meeting) {
            (
                Stage::Starting { since } | Stage::Leaving { since, why: Why::Forgotten, .. },
                Meeting::Joined,
            ) => {
                let since = *since;
                self.stages[seat] = Stage::Registered { since, streams: 1, end: None };
            }
            (Stage::Free, Meeting::Joined) if !self.reached[seat] => {
                self.stages[seat] = Stage::Registered { since: now, streams: 1, end: None };
            }
            (Stage::Registered { streams, .. }, Meeting::Joined) => *streams += 1,
            (Stage::Registered { streams: streams @ 2.., .. }, _) => *streams -= 1,
            (Stage::Registered { since, end, .. }, _) => {
                let (since, end) = (*since, end.take());
                self.parted(seat, meeting, (since, end), now);
            }
            // Of one that has ended it says nothing new.
            (
                Stage::Free | Stage::Starting { .. } | Stage::Ended { .. } | Stage::Leaving { .. },
                _,
            ) => {}
        }
    }

    /// The proxy has nothing to do with a process any more, which may have ended.
    fn parted(
        &mut self,
        seat: usize,
        how: Meeting,
        (since, end): (Instant, Option<End>),
        now: Instant,
    ) {
        let is_released = how == Meeting::Released;
        if is_released {
            self.failures.count = 0;
        }
        let why = if is_released { Why::Released } else { Why::Lost };
        // One that listens would wait for the next stream.
        let is_at_once = how == Meeting::Hung || (is_released && self.listens);
        let until = if is_at_once { now } else { now + LINGER };
        self.stages[seat] = Stage::Leaving { since, why, until: Some(until) };
        if let Some(end) = end {
            self.ended(seat, end, now);
        }
    }

    /// The process of a seat has ended.
    pub(crate) fn ended(&mut self, seat: usize, end: End, now: Instant) {
        match &mut self.stages[seat] {
            // The proxy is yet to say whether it has let it go.
            Stage::Registered { end: known, .. } => *known = Some(end),
            Stage::Starting { since } => {
                let since = *since;
                self.stages[seat] = Stage::Ended { since, end, until: now + HEARSAY };
            }
            Stage::Leaving { since, why, .. } => {
                let (since, why) = (*since, *why);
                self.clear(seat);
                match why {
                    Why::Released | Why::Forgotten => {}
                    Why::Lost if end.is_well => {}
                    Why::Lost => {
                        self.failed(end.exit.to_string(), since, now);
                        let (exit, how) = (end.exit, Failing::AtWork);
                        self.news.push(Deed::Failed(Failure { seat, since, exit, how }));
                    }
                    Why::NeverRegistered => {
                        let status = format!(
                            "it did not register within {} s (chaincode.timeouts.start), and was ended",
                            self.patience.start.as_secs_f32()
                        );
                        let last_lines = end.exit.last_lines;
                        let exit = ReplicaExit { status, last_lines };
                        let how = Failing::TooSlow;
                        self.failed_to_start(Failure { seat, since, exit, how }, now);
                    }
                }
            }
            Stage::Free | Stage::Ended { .. } => {}
        }
    }

    /// Takes processes for failed of which the proxy has said nothing in time.
    fn judge_ended(&mut self, now: Instant) {
        for seat in 0..self.stages.len() {
            if matches!(self.stages[seat], Stage::Ended { until, .. } if until <= now)
                && let Stage::Ended { since, end, .. } =
                    std::mem::replace(&mut self.stages[seat], Stage::Free)
            {
                self.clear(seat);
                let (exit, how) = (end.exit, Failing::AtStart);
                self.failed_to_start(Failure { seat, since, exit, how }, now);
            }
        }
    }

    /// The process of a seat could not be started.
    pub(crate) fn not_started(&mut self, seat: usize, reason: String, now: Instant) {
        self.clear(seat);
        self.failed(reason.clone(), now, now);
        self.is_current = false;
        self.news.push(Deed::Tell(ReplicaEvent::Trouble(reason)));
    }

    fn failed_to_start(&mut self, failure: Failure, now: Instant) {
        self.failed(failure.exit.to_string(), failure.since, now);
        self.is_current = false;
        self.news.push(Deed::Failed(failure));
    }

    fn failed(&mut self, reason: String, since: Instant, now: Instant) {
        let failures = &mut self.failures;
        failures.count = if now - since >= RECOVERED { 1 } else { failures.count + 1 };
        failures.until = now + delay(failures.count);
        failures.reason = reason;
    }

    fn clear(&mut self, seat: usize) {
        self.stages[seat] = Stage::Free;
        if self.reached[seat] {
            self.free.push_back(seat);
        }
    }

    /// How many there are for the proxy: those that are to register, and those that have.
    fn present(&self) -> usize {
        let is_there = |(seat, stage): (usize, &Stage)| match stage {
            Stage::Free | Stage::Leaving { .. } => false,
            // It may never have been told to start.
            Stage::Starting { .. } => self.reached[seat],
            Stage::Ended { .. } | Stage::Registered { .. } => true,
        };
        let seated = self.stages.iter().enumerate().filter(|one| is_there(*one)).count();
        seated + self.elsewhere
    }
}

#[cfg(test)]
mod tests;
