//! Which replicas are to go: they get no new transaction that another one can have, and finish
//! within a bound what they have.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::event::Event;
use crate::identity::Credential;
use crate::leavers::Leavers;
use crate::replica::{Place, Standing};
use crate::roster::Roster;
use crate::transactions::{Outcome, Transactions};

/// Those that are to go, be they there or to come.
#[derive(Default)]
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Retirements(HashMap<Leavers, Stage>);

/// How far it is with some.
#[cfg_attr(test, derive(Clone, Debug))]
enum Stage {
    /// What they have in flight may finish.
    Finishing(Bound),
    /// They have nothing in flight, and never will.
    Over,
}

/// How long something may take, and until when that is: no such time if it is too far away.
#[cfg_attr(test, derive(Clone, Debug))]
struct Bound {
    limit: Duration,
    until: Option<Instant>,
}

/// What follows at the end of the time that some had to finish.
pub(crate) struct GivenUp {
    /// Who had it.
    pub(crate) leavers: Leavers,
    /// What follows for each transaction that they did not finish.
    pub(crate) outcomes: Vec<Outcome>,
}

impl GivenUp {
    /// What the owner is told.
    pub(crate) fn event(&self) -> Option<Event> {
        retired(self.leavers, self.outcomes.len())
    }
}

impl Retirements {
    /// These replicas are to go; if that was known, the new limit counts.
    pub(crate) fn begin(&mut self, leavers: Leavers, limit: Duration) {
        let bound = Bound { limit, until: Instant::now().checked_add(limit) };
        self.0.insert(leavers, Stage::Finishing(bound));
    }

    /// Replicas that come to be in this place are others, and stay.
    pub(crate) fn forget(&mut self, place: Place) {
        self.0.remove(&Leavers::At(place));
    }

    /// Whether replicas with this credential are to go, wherever they are.
    pub(crate) fn contains(&self, credential: Credential) -> bool {
        self.0.contains_key(&Leavers::Set(credential))
    }

    /// How one stands that is in this place, if it is to go.
    pub(crate) fn standing(&self, place: Place) -> Option<Standing> {
        if self.contains(place.credential) {
            return Some(Standing::Retired);
        }
        self.0.get(&Leavers::At(place)).map(|stage| match stage {
            Stage::Finishing(_) => Standing::Leaving,
            Stage::Over => Standing::Retired,
        })
    }

    /// Those of a set that had to finish first, and have now: they may go, and the owner is told.
    pub(crate) fn finish(&mut self, credential: Credential, roster: &Roster) -> Option<Event> {
        let set = Leavers::Set(credential);
        let stage = self.0.get_mut(&set)?;
        if matches!(stage, Stage::Over) || roster.burdens(set) > 0 {
            return None;
        }
        *stage = Stage::Over;
        retired(set, 0)
    }

    /// Whether those in this place have had their time.
    pub(crate) fn is_over(&self, place: Place) -> bool {
        let stages =
            [Leavers::Set(place.credential), Leavers::At(place)].map(|one| self.0.get(&one));
        stages.into_iter().any(|stage| matches!(stage, Some(Stage::Over)))
    }

    /// When [`Self::give_up`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way().filter_map(|(_, bound)| bound.until).min()
    }

    /// Ends what some did not finish in time, as soon as the peer may be told.
    pub(crate) fn give_up(
        &mut self,
        now: Instant,
        roster: &Roster,
        transactions: &mut Transactions,
    ) -> Option<GivenUp> {
        let is_overdue = |bound: &Bound| bound.until.is_some_and(|until| until <= now);
        let (leavers, bound) = self.under_way().find(|(_, bound)| is_overdue(bound))?;
        let reason = format!(
            "the chaincode's replica {}, and did not end this transaction within another {} s",
            leavers.reason(),
            bound.limit.as_secs_f32()
        );
        self.0.insert(leavers, Stage::Over);
        let outcomes = transactions.interrupt(|id| roster.has(id, leavers), &reason);
        Some(GivenUp { leavers, outcomes })
    }

    fn under_way(&self) -> impl Iterator<Item = (Leavers, &Bound)> {
        self.0.iter().filter_map(|(leavers, stage)| match stage {
            Stage::Finishing(bound) => Some((*leavers, bound)),
            Stage::Over => None,
        })
    }
}

fn retired(leavers: Leavers, answered: usize) -> Option<Event> {
    match leavers {
        Leavers::Set(credential) => Some(Event::Retired { credential, answered }),
        // Whose pod is to go knows it.
        Leavers::At(_) => None,
    }
}
