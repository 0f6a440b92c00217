//! The seats of a function's processes: what is to be started and ended, and when.
//!
//! Without I/O. A seat is taken from the start of its process to its end, and counts for the proxy's
//! wish from its start until the proxy has let it go or lost it: the proxy counts as it says.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::super::restarts::{RECOVERED, delay};
use crate::backend::{Meeting, ReplicaEvent, ReplicaExit};

/// How long a process may take to end that has lost its stream.
const LINGER: Duration = Duration::from_secs(1);

/// How long the proxy's word of a process may take that has ended by then: a quick one has registered,
/// answered, and been let go before that is heard of.
pub(super) const HEARSAY: Duration = Duration::from_millis(500);

/// How often that is told, for as long as calls come.
const AGAIN: Duration = Duration::from_millis(100);

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
pub(super) enum Deed {
    /// Start the process of a seat.
    Start(usize),
    /// End it.
    End(usize),
    /// Tell this.
    Tell(ReplicaEvent),
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) exit: ReplicaExit,
    /// With status 0.
    pub(super) is_well: bool,
}

/// All seats of a function.
#[derive(Debug)]
pub(super) struct Seats {
    stages: Vec<Stage>,
    /// Those that are free, for the longest time first.
    free: VecDeque<usize>,
    wanted: usize,
    /// Whether that was said since the last thing that bears upon it.
    is_current: bool,
    /// What is to be told.
    news: Vec<ReplicaEvent>,
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
}

impl Seats {
    /// So many, all free.
    pub(super) fn new(number: usize, listens: bool, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            stages: (0..number).map(|_| Stage::Free).collect(),
            free: (0..number).collect(),
            wanted: 0,
            is_current: true,
            news: Vec::new(),
            failures: Failures { count: 0, until: now, reason: String::new(), told_until: now },
            listens,
            patience,
        }
    }

    /// So many processes are wanted.
    pub(super) fn want(&mut self, processes: usize) {
        self.wanted = processes;
        self.is_current = true;
    }

    /// The proxy has met the process of a seat. How many are wanted then, it says next.
    pub(super) fn met(&mut self, seat: usize, meeting: Meeting, now: Instant) {
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
            (Stage::Starting { since }, Meeting::Joined) => {
                let since = *since;
                self.stages[seat] = Stage::Registered { since, streams: 1, end: None };
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
    pub(super) fn ended(&mut self, seat: usize, end: End, now: Instant) {
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
                    Why::Released => {}
                    Why::Lost if end.is_well => {}
                    Why::Lost => {
                        self.failed(end.exit.to_string(), since, now);
                        self.news.push(ReplicaEvent::Exited(end.exit));
                    }
                    Why::NeverRegistered => {
                        let status = format!(
                            "it did not register within {} s (chaincode.timeouts.start), and was ended",
                            self.patience.start.as_secs_f32()
                        );
                        let last_lines = end.exit.last_lines;
                        self.failed_to_start(ReplicaExit { status, last_lines }, since, now);
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
                self.free.push_back(seat);
                self.failed_to_start(end.exit, since, now);
            }
        }
    }

    /// The process of a seat could not be started.
    pub(super) fn not_started(&mut self, seat: usize, reason: String, now: Instant) {
        self.clear(seat);
        self.failed(reason.clone(), now, now);
        self.is_current = false;
        self.news.push(ReplicaEvent::Trouble(reason));
    }

    fn failed_to_start(&mut self, exit: ReplicaExit, since: Instant, now: Instant) {
        let reason = exit.to_string();
        self.failed(reason.clone(), since, now);
        self.is_current = false;
        self.news.push(ReplicaEvent::Exited(exit));
        self.news.push(ReplicaEvent::Refused(format!("it ended before it registered: {reason}")));
    }

    fn failed(&mut self, reason: String, since: Instant, now: Instant) {
        let failures = &mut self.failures;
        failures.count = if now - since >= RECOVERED { 1 } else { failures.count + 1 };
        failures.until = now + delay(failures.count);
        failures.reason = reason;
    }

    fn clear(&mut self, seat: usize) {
        self.stages[seat] = Stage::Free;
        self.free.push_back(seat);
    }

    /// How many there are for the proxy: those that are to register, and those that have.
    fn present(&self) -> usize {
        let is_absent = |stage: &&Stage| matches!(stage, Stage::Free | Stage::Leaving { .. });
        self.stages.iter().filter(|stage| !is_absent(stage)).count()
    }

    /// What is to be done now.
    pub(super) fn what_is_due(&mut self, now: Instant) -> Vec<Deed> {
        self.judge_ended(now);
        let mut deeds: Vec<Deed> = self.news.drain(..).map(Deed::Tell).collect();
        for (seat, stage) in self.stages.iter_mut().enumerate() {
            match stage {
                Stage::Starting { since } if now - *since >= self.patience.start => {
                    let why = Why::NeverRegistered;
                    *stage = Stage::Leaving { since: *since, why, until: None };
                    deeds.push(Deed::End(seat));
                }
                Stage::Leaving { until: until @ Some(_), .. } if *until <= Some(now) => {
                    *until = None;
                    deeds.push(Deed::End(seat));
                }
                _ => {}
            }
        }
        let present = self.present();
        if present < self.wanted && self.is_current {
            if self.failures.until <= now {
                deeds.extend((present..self.wanted).filter_map(|_| self.take_seat(now)));
            } else if present == 0 {
                deeds.extend(self.refuse(now).map(Deed::Tell));
            }
        }
        deeds
    }

    /// Starts a process, or makes a place for one.
    fn take_seat(&mut self, now: Instant) -> Option<Deed> {
        if let Some(seat) = self.free.pop_front() {
            self.stages[seat] = Stage::Starting { since: now };
            return Some(Deed::Start(seat));
        }
        let mut stages = self.stages.iter_mut().enumerate();
        let (seat, until) = stages.find_map(|(seat, stage)| match stage {
            Stage::Leaving { until: until @ Some(_), .. } => Some((seat, until)),
            _ => None,
        })?;
        *until = None;
        Some(Deed::End(seat))
    }

    /// What is told to calls that come too long before the next start.
    fn refuse(&mut self, now: Instant) -> Option<ReplicaEvent> {
        let Failures { until, told_until, count, reason, .. } = &mut self.failures;
        let wait = *until - now;
        if wait <= self.patience.call || *told_until > now {
            return None;
        }
        *told_until = now + AGAIN;
        Some(ReplicaEvent::Refused(format!(
            "it ended {count} times in a row, and is started again in {:.1} s: {reason}",
            wait.as_secs_f32()
        )))
    }

    /// When [`Self::what_is_due`] has something new to say by itself.
    pub(super) fn next_moment(&self, now: Instant) -> Option<Instant> {
        let of_stages = self.stages.iter().filter_map(|stage| match stage {
            Stage::Starting { since } => since.checked_add(self.patience.start),
            Stage::Leaving { until, .. } => *until,
            Stage::Ended { until, .. } => Some(*until),
            Stage::Free | Stage::Registered { .. } => None,
        });
        let Failures { until, told_until, .. } = self.failures;
        let waits = self.present() < self.wanted && self.is_current && until > now;
        // Where calls are told, it is looked again whether there are any.
        let again = Some(told_until).filter(|again| self.present() == 0 && *again > now);
        let of_failures = waits.then(|| again.map_or(until, |again| again.min(until)));
        of_stages.chain(of_failures).min()
    }
}

#[cfg(test)]
mod tests;
