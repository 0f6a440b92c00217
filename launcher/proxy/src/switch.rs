//! The routing of one chaincode: which transaction is with which replica.
//!
//! A state machine without I/O: it takes what came in, and leaves what is to go
//! to the peer in [`Switch::take_for_peer`], and to a replica in
//! [`Switch::take_for_replica`]. One task owns it, so nothing here is locked.

mod demand;
mod granting;
mod losses;
mod messages;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::backlog::Backlog;
use crate::budget::Budget;
use crate::event::{Event, Fates};
use crate::figures::Figures;
use crate::frame::Frame;
use crate::identity::Credential;
use crate::leavers::Leavers;
use crate::limits::Limits;
use crate::on_demand::Demand;
use crate::protocol::{self, Offer};
use crate::replica::{Place, ReplicaId, ReplicaLink, Standing};
use crate::retirement::Retirements;
use crate::roster::{ForReplica, Roster};
use crate::transactions::Transactions;
use crate::violation::Violation;
use crate::waiting::WaitingLine;

/// From how many messages for the peer on replicas must not add to them.
const PEER_MESSAGES: usize = 1024;

/// From how many bytes on.
const PEER_BYTES: usize = 1 << 20;

/// Where the link to the peer stands.
#[cfg_attr(test, derive(Clone))]
enum Peer {
    /// Nothing was said to the peer: no replica has shown up yet.
    Silent,
    /// The registration is under way.
    Registering,
    /// The peer takes the chaincode as ready, and said so with this message.
    Ready(Frame),
}

/// The routing state of one chaincode.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Switch {
    package_id: String,
    limits: Limits,
    figures: Figures,
    peer: Peer,
    /// What replicas may ask of this peer.
    offer: Offer,
    roster: Roster,
    retirements: Retirements,
    transactions: Transactions,
    passed: u64,
    /// How many transactions were run again and did something else than before.
    differed: u64,
    budget: Budget,
    waiting: WaitingLine,
    /// Those that are there on demand, if there are such.
    demand: Option<Demand>,
    /// Why no replica will come soon, if that is known, and whose trouble it is.
    trouble: Option<(Credential, String)>,
    /// Why no new transaction is taken.
    closed: Option<String>,
    for_peer: Backlog,
    events: VecDeque<Event>,
}

impl Switch {
    /// That of a chaincode whose figures are to be kept there.
    pub(crate) fn new(package_id: String, limits: Limits, figures: Figures) -> Self {
        Self {
            package_id,
            roster: Roster::new(limits.clone()),
            retirements: Retirements::default(),
            transactions: Transactions::new(&limits, figures.clone()),
            limits,
            figures,
            peer: Peer::Silent,
            offer: Offer::default(),
            passed: 0,
            differed: 0,
            budget: Budget::default(),
            waiting: WaitingLine::default(),
            demand: None,
            trouble: None,
            closed: None,
            for_peer: Backlog::default(),
            events: VecDeque::new(),
        }
    }

    /// The next message for the peer, oldest first.
    pub(crate) fn take_for_peer(&mut self) -> Option<Frame> {
        let frame = self.for_peer.pop_front()?;
        self.figures.said(frame.bytes().len());
        Some(frame)
    }

    /// Whether there is something for the peer.
    pub(crate) fn has_for_peer(&self) -> bool {
        !self.for_peer.is_empty()
    }

    /// The next message for a registered replica, or its end.
    pub(crate) fn take_for_replica(&mut self, id: ReplicaId) -> Option<ForReplica> {
        self.roster.take_for(id)
    }

    /// Whether a registered replica has neither gone nor been cut off.
    pub(crate) fn has_replica(&self, id: ReplicaId) -> bool {
        self.roster.contains(id)
    }

    /// Whether so much waits for the peer that replicas must not add to it.
    pub(crate) fn is_peer_behind(&self) -> bool {
        self.for_peer.len() >= PEER_MESSAGES || self.for_peer.bytes() >= PEER_BYTES
    }

    /// Whether a replica has so much to read that it may not ask for more.
    pub(crate) fn is_replica_behind(&self, id: ReplicaId) -> bool {
        self.roster.is_behind(id)
    }

    /// What happened that someone outside wants to know, oldest first.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.tell_demand())
    }

    /// Whether the peer is to be asked for registration now. True once: when the
    /// first replica is there, or when none will be and callers are to be told. Not
    /// sooner: the peer sends transactions at once, and takes the launch for over. With
    /// replicas that are there on demand it is to do just that.
    pub(crate) fn start_registration(&mut self) -> bool {
        let is_due =
            self.roster.has_some_to_stay() || self.closed.is_some() || self.demand.is_some();
        let start = matches!(self.peer, Peer::Silent) && is_due;
        if start {
            self.peer = Peer::Registering;
        }
        start
    }

    /// The peer has taken the registration and sent `ready`.
    pub(crate) fn peer_is_ready(&mut self, ready: Frame) {
        self.offer = Offer::of(&ready);
        for id in self.roster.ids() {
            self.greet(id, &ready);
        }
        self.peer = Peer::Ready(ready);
        self.events.push_back(Event::Ready);
        self.grant_waiting();
    }

    /// A replica's first message.
    pub(crate) fn replica_registers(&mut self, id: ReplicaId, link: ReplicaLink, first: &Frame) {
        let place = link.place;
        let now = Instant::now();
        let term = self.term_of(place.credential, now);
        let admitted = protocol::registers(first, &self.package_id)
            .and_then(|()| self.roster.admit(id, link, term, now));
        if let Err(violation) = admitted {
            self.roster.turn_away(id, place, &violation);
            self.tell_cut_off(id, place, violation.to_string(), Fates::default());
            return;
        }
        if self.retirements.is_over(place) {
            return self.let_go(id);
        }
        match self.retirements.standing(place) {
            Some(standing) => self.roster.leave(Leavers::At(place), standing),
            None => self.trouble = None,
        }
        if let Peer::Ready(ready) = &self.peer {
            let ready = ready.clone();
            self.greet(id, &ready);
            self.grant_waiting();
        }
        self.let_idle_go();
    }

    /// Tells a replica that it is registered and passes on the peer's READY,
    /// whose payload says which batches the peer takes.
    fn greet(&mut self, id: ReplicaId, ready: &Frame) {
        self.send(id, Frame::registered());
        self.send(id, ready.clone());
        // One that is to go gets nothing for which it would have to be ready.
        if let Some(credential) = self.roster.stays(id) {
            let place = self.roster.seat(id);
            self.events.push_back(Event::ReplicaReady { replica: id, credential, place });
            self.crew_changes(credential);
        }
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let moments = [
            self.waiting.deadline(),
            self.roster.end_of_bars(),
            self.transactions.next_review(),
            self.retirements.deadline(),
            self.next_release(),
        ];
        moments.into_iter().flatten().min()
    }

    /// Does what is due: forgets what the peer has given up, ends what was to finish by now, and
    /// answers the transactions that have waited for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        for outcome in self.transactions.give_up(now) {
            self.follow(outcome);
        }
        while let Some(given_up) =
            self.retirements.give_up(now, &self.roster, &mut self.transactions)
        {
            self.roster.leave(given_up.leavers, Standing::Retired);
            self.events.extend(given_up.event());
            for outcome in given_up.outcomes {
                self.follow(outcome);
            }
            self.let_all_go(given_up.leavers);
        }
        self.release_idle(now);
        if self.roster.lift_bars(now) {
            self.grant_waiting();
            self.let_idle_go();
        }
        self.refuse_overdue(now);
    }

    /// Says why no replica with this credential will come soon, so that nothing waits for one in
    /// vain; holds until a replica registers, or those with this credential are to go. Of those that
    /// are there on demand it is a word for what waits now.
    pub(crate) fn set_trouble(&mut self, credential: Credential, reason: String) {
        if self.is_on_demand(credential) {
            self.refuse_waiting(credential, reason);
        } else if !self.retirements.contains(credential) {
            // A process's end may be known before that of its stream is.
            self.trouble = Some((credential, reason));
            self.grant_waiting();
        }
    }

    /// What it counts.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// How many transactions weigh on replicas, or wait for one.
    pub(crate) fn load(&self) -> usize {
        self.roster.burden_of_all() + self.waiting.len()
    }

    /// Whether transactions that begin from now on are run again.
    pub(crate) fn set_replay(&mut self, is_wanted: bool) {
        self.transactions.set_replay(is_wanted);
    }

    /// From now on replicas with this credential get no new transaction, and have `limit` to
    /// finish what they have.
    pub(crate) fn retire(&mut self, credential: Credential, limit: Duration) {
        let set = Leavers::Set(credential);
        self.retirements.begin(set, limit);
        self.roster.leave(set, Standing::Retired);
        self.trouble.take_if(|(whose, _)| *whose == credential);
        self.finish_retirement(credential);
    }

    /// From now on replicas in this place get no new transaction that another one can have, and have
    /// `limit` to finish what they have.
    pub(crate) fn release(&mut self, place: Place, limit: Duration) {
        let leavers = Leavers::At(place);
        self.retirements.begin(leavers, limit);
        self.roster.leave(leavers, Standing::Leaving);
        self.let_idle_go();
    }

    /// Whoever comes to be in this place is not one of those that were released there.
    pub(crate) fn vacate(&mut self, place: Place) {
        self.retirements.forget(place);
    }

    /// Whether replicas with this credential are to go.
    pub(crate) fn is_retired(&self, credential: Credential) -> bool {
        self.retirements.contains(credential)
    }

    /// Lets those go that are to, and have nothing in flight any more; replicas with this credential
    /// only together, of which the owner is told.
    fn finish_retirement(&mut self, credential: Credential) {
        if let Some(event) = self.retirements.finish(credential, &self.roster) {
            self.events.push_back(event);
            self.let_all_go(Leavers::Set(credential));
        }
        self.let_idle_go();
    }

    /// From now on a new transaction is refused with a reason.
    pub(crate) fn close(&mut self, reason: impl Into<String>) {
        self.closed = Some(reason.into());
        self.grant_waiting();
    }

    /// How many messages came so far, from either side.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    /// How many transactions are in flight for whose end the peer waits.
    pub(crate) fn in_flight(&self) -> usize {
        self.transactions.awaited()
    }

    /// Ends every transaction that a replica is still at, as soon as the peer may be told.
    pub(crate) fn interrupt(&mut self, reason: &str) {
        for outcome in self.transactions.interrupt(|_| true, reason) {
            self.follow(outcome);
        }
    }

    /// Answers every transaction that is still in flight; the last thing that is done.
    pub(crate) fn answer_all(&mut self, reason: &str) {
        self.closed.get_or_insert_with(|| reason.to_owned());
        self.grant_waiting();
        for end in self.transactions.end_all(reason) {
            self.for_peer.push_back(end);
        }
    }

    fn send(&mut self, id: ReplicaId, frame: Frame) {
        self.roster.send(id, frame);
        while let Some(hoarder) = self.roster.hoarder(id) {
            self.replica_breaks(hoarder, &Violation::NotReading);
        }
    }
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
