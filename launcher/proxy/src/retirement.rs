//! Which replicas are to go: they get no new transaction, and finish within a bound what they have.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::credentials::Credential;
use crate::event::Event;
use crate::roster::Roster;
use crate::transactions::{Outcome, Transactions};

/// The credentials whose replicas are to go, for as long as the proxy lives: one may connect at
/// any time.
#[derive(Default)]
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Retirements(HashMap<Credential, Stage>);

/// How far it is with one.
#[cfg_attr(test, derive(Clone, Debug))]
enum Stage {
    /// What its replicas have in flight may finish.
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

impl Retirements {
    /// Replicas with this credential are to go; if that was known, the new limit counts.
    pub(crate) fn begin(&mut self, credential: Credential, limit: Duration) {
        let bound = Bound { limit, until: Instant::now().checked_add(limit) };
        self.0.insert(credential, Stage::Finishing(bound));
    }

    /// Whether replicas with this credential are to go.
    pub(crate) fn contains(&self, credential: Credential) -> bool {
        self.0.contains_key(&credential)
    }

    /// What the owner is told if replicas with this credential were to finish, and have nothing in
    /// flight any more.
    pub(crate) fn finish(&mut self, credential: Credential, roster: &Roster) -> Option<Event> {
        let stage = self.0.get_mut(&credential)?;
        if matches!(stage, Stage::Over) || roster.burdens(credential) > 0 {
            return None;
        }
        *stage = Stage::Over;
        Some(Event::Retired { credential, answered: 0 })
    }

    /// When [`Self::give_up`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way().filter_map(|(_, bound)| bound.until).min()
    }

    /// Ends what replicas with one credential did not finish in time, as soon as the peer may be
    /// told. What follows for each transaction, and what the owner is told.
    pub(crate) fn give_up(
        &mut self,
        now: Instant,
        roster: &Roster,
        transactions: &mut Transactions,
    ) -> Option<(Vec<Outcome>, Event)> {
        let is_overdue = |bound: &Bound| bound.until.is_some_and(|until| until <= now);
        let (credential, bound) = self.under_way().find(|(_, bound)| is_overdue(bound))?;
        let reason = format!(
            "the chaincode's replica is being replaced, and did not end this transaction within \
             another {} s",
            bound.limit.as_secs_f32()
        );
        self.0.insert(credential, Stage::Over);
        let outcomes = transactions.interrupt(|id| roster.has(id, credential), &reason);
        let answered = outcomes.len();
        Some((outcomes, Event::Retired { credential, answered }))
    }

    fn under_way(&self) -> impl Iterator<Item = (Credential, &Bound)> {
        self.0.iter().filter_map(|(credential, stage)| match stage {
            Stage::Finishing(bound) => Some((*credential, bound)),
            Stage::Over => None,
        })
    }
}
