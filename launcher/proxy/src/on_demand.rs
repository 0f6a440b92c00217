//! Replicas that are there while they are called for: what one of them gets, and how many are wanted.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::Event;
use crate::identity::Credential;

/// How replicas with one credential come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDemand {
    /// Which.
    pub credential: Credential,
    /// How many transactions one has in flight at once.
    pub concurrency: NonZeroUsize,
    /// How many one gets at all; `None` if there is no bound.
    pub calls: Option<NonZeroU32>,
    /// How long one stays that has nothing in flight.
    pub idle: Duration,
    /// How many are kept that have nothing in flight, however long.
    pub ahead: usize,
    /// How many there are at once.
    pub most: NonZeroUsize,
    /// How long a transaction waits for one that has room for it.
    pub wait: Duration,
}

impl OnDemand {
    /// How many transactions a new one has room for.
    fn each(&self) -> usize {
        let calls = self.calls.and_then(|calls| usize::try_from(calls.get()).ok());
        calls.map_or(self.concurrency.get(), |calls| calls.min(self.concurrency.get()))
    }

    /// What one gets that comes now.
    pub(crate) fn term(&self, now: Instant) -> Term {
        Term {
            concurrency: self.concurrency.get(),
            calls: self.calls.map(NonZeroU32::get),
            idle_since: now,
        }
    }
}

/// What a replica gets.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    /// How many transactions at once.
    concurrency: usize,
    /// How many more at all, if there is a bound.
    calls: Option<u32>,
    /// Since when it has nothing in flight, as long as that is so.
    pub(crate) idle_since: Instant,
}

impl Term {
    /// For how many more transactions it has room.
    pub(crate) fn room(&self, in_flight: usize) -> usize {
        let room = self.concurrency.saturating_sub(in_flight);
        let calls = self.calls.and_then(|calls| usize::try_from(calls).ok());
        calls.map_or(room, |calls| calls.min(room))
    }

    /// It was given one.
    pub(crate) fn given(&mut self) {
        self.calls = self.calls.map(|calls| calls.saturating_sub(1));
    }

    /// Whether it gets no other.
    pub(crate) fn is_spent(&self) -> bool {
        self.calls == Some(0)
    }
}

/// Those that are there on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crew {
    /// How many have something in flight.
    pub(crate) at_work: usize,
    /// How many have nothing.
    pub(crate) free: usize,
    /// For how many transactions all of them have room.
    pub(crate) room: usize,
}

/// How many are wanted, and what of that was told.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Demand {
    pub(crate) terms: OnDemand,
    /// What was told last, until it has to be told again.
    told: Option<usize>,
}

impl Demand {
    pub(crate) fn new(terms: OnDemand) -> Self {
        Self { terms, told: None }
    }

    /// One has come or gone: who starts them has to know of that first, then how many are wanted.
    pub(crate) fn has_changed(&mut self) {
        self.told = None;
    }

    /// What is to be told, if that is something new.
    pub(crate) fn tell(&mut self, crew: Crew, waiting: usize) -> Option<Event> {
        let processes = self.wanted(crew, waiting);
        if self.told.replace(processes) == Some(processes) {
            return None;
        }
        Some(Event::Wanted { credential: self.terms.credential, processes })
    }

    /// Those at work, one for each that is to be kept, and as many as what waits needs.
    fn wanted(&self, crew: Crew, waiting: usize) -> usize {
        let new = waiting.saturating_sub(crew.room).div_ceil(self.terms.each());
        let idle = crew.free.max(self.terms.ahead);
        // More may be there than are wanted, as some had begun to come before it was known.
        let most = self.terms.most.get().max(crew.at_work + crew.free);
        (crew.at_work + idle + new).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> OnDemand {
        OnDemand {
            credential: Credential::of(b"a key"),
            concurrency: NonZeroUsize::new(4).unwrap(),
            calls: None,
            idle: Duration::from_mins(1),
            ahead: 0,
            most: NonZeroUsize::new(8).unwrap(),
            wait: Duration::from_secs(2),
        }
    }

    fn wanted(terms: OnDemand, crew: (usize, usize, usize), waiting: usize) -> usize {
        let (at_work, free, room) = crew;
        Demand::new(terms).wanted(Crew { at_work, free, room }, waiting)
    }

    #[test]
    fn as_many_as_what_waits_needs() {
        assert_eq!(wanted(terms(), (0, 0, 0), 0), 0);
        assert_eq!(wanted(terms(), (0, 0, 0), 1), 1);
        assert_eq!(wanted(terms(), (0, 0, 0), 4), 1);
        assert_eq!(wanted(terms(), (2, 0, 0), 5), 4);
        assert_eq!(wanted(terms(), (2, 0, 0), 500), 8, "no more than may be");
        assert_eq!(wanted(terms(), (1, 0, 3), 2), 1, "what waits for something else");
        let once = OnDemand { calls: NonZeroU32::new(1), ..terms() };
        assert_eq!(wanted(once, (1, 0, 0), 3), 4);
    }

    #[test]
    fn and_those_that_are_kept_ahead() {
        let ahead = OnDemand { ahead: 2, ..terms() };
        assert_eq!(wanted(ahead, (0, 0, 0), 0), 2);
        assert_eq!(wanted(ahead, (3, 1, 7), 0), 5);
        assert_eq!(wanted(ahead, (0, 3, 12), 0), 3, "who is there may stay");
        assert_eq!(wanted(ahead, (1, 0, 0), 1), 4);
        assert_eq!(wanted(ahead, (8, 0, 0), 1), 8);
    }

    #[test]
    fn the_same_is_told_again_only_when_one_has_come_or_gone() {
        let mut demand = Demand::new(terms());
        let one = || Some(Event::Wanted { credential: terms().credential, processes: 1 });
        let (none, busy) = (Crew::default(), Crew { at_work: 1, free: 0, room: 3 });
        assert_eq!(demand.tell(none, 1), one());
        assert_eq!(demand.tell(none, 2), None);
        demand.has_changed();
        assert_eq!(demand.tell(busy, 0), one());
        assert_eq!(demand.tell(busy, 0), None);
    }

    #[test]
    fn a_term_ends_with_its_last_call() {
        let mut term = OnDemand { calls: NonZeroU32::new(2), ..terms() }.term(Instant::now());
        assert_eq!((term.room(0), term.is_spent()), (2, false));
        term.given();
        assert_eq!((term.room(1), term.is_spent()), (1, false));
        term.given();
        assert_eq!((term.room(2), term.is_spent()), (0, true));
        assert_eq!(terms().term(Instant::now()).room(9), 0);
    }
}
