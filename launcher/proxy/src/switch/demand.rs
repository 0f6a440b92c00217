//! Replicas that are there while they are called for: when one goes, and how many are wanted.

use std::time::Duration;

use tokio::time::Instant;

use super::{Peer, Switch};
use crate::budget::Budget;
use crate::event::Event;
use crate::identity::Credential;
use crate::on_demand::{Demand, OnDemand, Term};
use crate::replica::ReplicaId;

impl Switch {
    /// From now on replicas with one credential are there on demand, or none are.
    pub(crate) fn set_on_demand(&mut self, on_demand: Option<OnDemand>) {
        self.demand = on_demand.map(Demand::new);
    }

    /// Whether replicas with this credential are there on demand.
    pub(super) fn is_on_demand(&self, credential: Credential) -> bool {
        self.demand.as_ref().is_some_and(|demand| demand.terms.credential == credential)
    }

    /// What one with this credential gets that comes now, if it is there on demand.
    pub(super) fn term_of(&self, credential: Credential, now: Instant) -> Option<Term> {
        let demand = self.demand.as_ref()?;
        (demand.terms.credential == credential).then(|| demand.terms.term(now))
    }

    /// One with this credential has come or gone.
    pub(super) fn crew_changes(&mut self, credential: Credential) {
        let demand = self.demand.as_mut();
        demand
            .filter(|demand| demand.terms.credential == credential)
            .into_iter()
            .for_each(Demand::has_changed);
    }

    /// How many are wanted, if that is something new. Nobody calls before the peer is ready, and a
    /// chaincode that is stopped wants nobody.
    pub(super) fn tell_demand(&mut self) -> Option<Event> {
        let demand = self.demand.as_mut()?;
        if !matches!(self.peer, Peer::Ready(_)) || self.closed.is_some() {
            return None;
        }
        demand.tell(self.roster.crew(demand.terms.credential), self.waiting.len())
    }

    /// When the next one has had nothing to do for long enough.
    pub(super) fn next_release(&self) -> Option<Instant> {
        let terms = &self.demand.as_ref()?.terms;
        let (_, since) = self.roster.idlest(terms)?;
        since.checked_add(terms.idle)
    }

    /// Lets those go that have had nothing to do for long enough.
    pub(super) fn release_idle(&mut self, now: Instant) {
        while self.next_release().is_some_and(|until| until <= now)
            && let Some(demand) = &self.demand
            && let Some((id, _)) = self.roster.idlest(&demand.terms)
        {
            self.part_with(id);
        }
    }

    /// Lets one go that has nothing in flight, with the end of its stream.
    pub(super) fn part_with(&mut self, id: ReplicaId) {
        let Some(released) = self.roster.let_go(id) else { return };
        let (credential, place) = (released.credential(), released.seat());
        // What it was left with, nobody waits for.
        self.orphan(id, "it was let go", Budget::spend);
        self.crew_changes(credential);
        self.events.push_back(Event::ReplicaReleased { replica: id, credential, place });
    }

    /// Answers what waits for one of these with the reason why none will come, unless one is there.
    /// Who has given up is told again how many are wanted then.
    pub(super) fn refuse_waiting(&mut self, credential: Credential, reason: String) {
        self.crew_changes(credential);
        let crew = self.roster.crew(credential);
        if crew.at_work + crew.free == 0 {
            self.trouble = Some((credential, reason));
            self.grant_waiting();
            self.trouble = None;
        }
    }

    /// How long something waits for a replica.
    pub(super) fn patience(&self) -> Duration {
        self.demand.as_ref().map_or(self.limits.replica_wait, |demand| demand.terms.wait)
    }

    /// Why something has waited for a replica in vain.
    pub(super) fn why_none_came(&self) -> String {
        let seconds = self.patience().as_secs_f32();
        let Some(demand) = &self.demand else {
            return format!("no replica of the chaincode became ready within {seconds} s");
        };
        let crew = self.roster.crew(demand.terms.credential);
        let there = crew.at_work + crew.free;
        if there >= demand.terms.most.get() {
            return format!(
                "all {there} processes of the chaincode were busy for {seconds} s \
                 (chaincode.function.maxReplicas, chaincode.function.concurrency)"
            );
        }
        format!(
            "no process of the chaincode was started and registered within {seconds} s \
             (chaincode.function.wait); one that takes longer is to be kept ready \
             (chaincode.function.ahead, or `execution: service`)"
        )
    }
}
