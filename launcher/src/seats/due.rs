//! What is to be done about seats by now: processes that are wanted are started, those that are to end
//! are ended, and who waits in vain is told.

use std::time::Duration;

use tokio::time::Instant;

use super::{Deed, Failures, Seats, Stage, Why};
use crate::backend::ReplicaEvent;

/// How often that is told, for as long as calls come.
pub(super) const AGAIN: Duration = Duration::from_millis(100);

impl Seats {
    /// What is to be done now.
    pub(crate) fn what_is_due(&mut self, now: Instant) -> Vec<Deed> {
        self.judge_ended(now);
        let mut deeds = std::mem::take(&mut self.news);
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
            let (seats, refusal) = if self.failures.until <= now {
                let seats: Vec<_> =
                    (present..self.wanted).filter_map(|_| self.take_seat(now)).collect();
                let none_is_to_come = present == 0 && seats.is_empty();
                (seats, none_is_to_come.then(|| self.refuse_hindered(now)).flatten())
            } else {
                (Vec::new(), (present == 0).then(|| self.refuse(now)).flatten())
            };
            deeds.extend(seats);
            deeds.extend(refusal.map(Deed::Tell));
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

    /// What is told to calls for which no seat gets free soon.
    fn refuse_hindered(&mut self, now: Instant) -> Option<ReplicaEvent> {
        let reason = self.hindrance.as_ref()?;
        if self.failures.told_until > now {
            return None;
        }
        self.failures.told_until = now + AGAIN;
        Some(ReplicaEvent::Refused(reason.clone()))
    }

    /// When [`Self::what_is_due`] has something new to say by itself.
    pub(crate) fn next_moment(&self, now: Instant) -> Option<Instant> {
        let of_stages = self.stages.iter().filter_map(|stage| match stage {
            Stage::Starting { since } => since.checked_add(self.patience.start),
            Stage::Leaving { until, .. } => *until,
            Stage::Ended { until, .. } => Some(*until),
            Stage::Free | Stage::Registered { .. } => None,
        });
        let Failures { until, told_until, .. } = self.failures;
        let present = self.present();
        let lacks = present < self.wanted && self.is_current;
        let start = Some(until).filter(|until| lacks && *until > now);
        // Where calls are told, it is looked again whether there are any.
        let is_told = start.is_some() || self.hindrance.is_some();
        let again =
            Some(told_until).filter(|again| lacks && present == 0 && is_told && *again > now);
        of_stages.chain(start).chain(again).min()
    }
}
