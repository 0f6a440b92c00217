//! The registered replicas of one chaincode: who they are, what waits for them, and which of
//! them gets the next transaction.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;
use tonic::Status;

use crate::breaches::Breaches;
use crate::frame::Frame;
use crate::identity::{Credential, ReplicaPlace};
use crate::leavers::Leavers;
use crate::limits::Limits;
use crate::on_demand::{Crew, OnDemand, Term};
use crate::replica::{Place, Replica, ReplicaId, ReplicaLink, Standing};
use crate::violation::Violation;

/// What is to be sent to a replica.
pub(crate) enum ForReplica {
    /// A message.
    Message(Frame),
    /// Nothing more, and with it the end of its stream.
    End(Status),
}

/// What follows when a transaction weighs on a replica no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relief {
    Nothing,
    /// It gets no other, and neither do those with the same credential.
    Retired(Credential),
    /// It has room again, which it had not.
    Room,
    /// It has had what it gets, and has nothing in flight.
    Spent,
}

/// The replicas that were admitted, and the last words to those that were dismissed.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Roster {
    limits: Limits,
    replicas: BTreeMap<ReplicaId, Replica>,
    /// How many bytes wait for all of them.
    pub(crate) unread: usize,
    /// The last words to replicas that were dismissed, until they were told.
    farewells: HashMap<ReplicaId, Status>,
    breaches: Breaches,
    /// How many transactions were given.
    given: u64,
}

impl Roster {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            replicas: BTreeMap::new(),
            unread: 0,
            farewells: HashMap::new(),
            breaches: Breaches::default(),
            given: 0,
        }
    }

    /// Takes a replica up, if there is room for it.
    pub(crate) fn admit(
        &mut self,
        id: ReplicaId,
        link: ReplicaLink,
        term: Option<Term>,
        now: Instant,
    ) -> Result<(), Violation> {
        let (own, all) = (self.limits.replicas, self.limits.all_replicas());
        if self.of(Leavers::Set(link.place.credential)).count() >= own {
            return Err(Violation::TooMany(own));
        }
        if self.replicas.len() >= all {
            return Err(Violation::TooMany(all));
        }
        let barred_until = self.breaches.barred_until(link.place, now);
        let standing = barred_until.map_or(Standing::Good, Standing::Barred);
        self.replicas.insert(id, Replica::new(link, standing, term));
        Ok(())
    }

    /// Does not take a replica up, which broke the protocol with its first message.
    pub(crate) fn turn_away(&mut self, id: ReplicaId, place: Place, violation: &Violation) {
        self.breaches.count(place, Instant::now());
        self.farewells.insert(id, farewell(violation));
    }

    /// A replica broke the protocol: it is none any more, and its process sees a failed call,
    /// with the reason. What it was, unless it was none.
    pub(crate) fn dismiss(&mut self, id: ReplicaId, violation: &Violation) -> Option<Replica> {
        let replica = self.remove(id)?;
        self.breaches.count(replica.place(), Instant::now());
        self.farewells.insert(id, farewell(violation));
        replica.wake();
        Some(replica)
    }

    /// Lets a replica go, whose stream ends well. What it was, unless it was none.
    pub(crate) fn let_go(&mut self, id: ReplicaId) -> Option<Replica> {
        let replica = self.remove(id)?;
        // There is no last word for it but that.
        replica.wake();
        Some(replica)
    }

    /// Those of these replicas that are there now are to go, and stand like this until then.
    pub(crate) fn leave(&mut self, leavers: Leavers, standing: Standing) {
        let all = self.replicas.values_mut();
        all.filter(|one| leavers.include(one.place())).for_each(|one| one.leave(standing));
    }

    /// How many transactions weigh on these replicas.
    pub(crate) fn burdens(&self, leavers: Leavers) -> usize {
        self.of(leavers).map(|(_, replica)| replica.in_flight).sum()
    }

    /// How many transactions weigh on all of them.
    pub(crate) fn burden_of_all(&self) -> usize {
        self.replicas.values().map(|replica| replica.in_flight).sum()
    }

    /// Whether a replica is there that is one of these.
    pub(crate) fn has(&self, id: ReplicaId, leavers: Leavers) -> bool {
        self.replicas.get(&id).is_some_and(|replica| leavers.include(replica.place()))
    }

    /// Those of these replicas that are there now.
    pub(crate) fn ids_of(&self, leavers: Leavers) -> Vec<ReplicaId> {
        self.of(leavers).map(|(id, _)| *id).collect()
    }

    /// Those that are to leave their places and have nothing in flight, if others get what comes.
    pub(crate) fn dispensable(&self) -> Vec<ReplicaId> {
        let takes = |one: &Replica| one.standing == Standing::Good && !one.is_silent;
        if !self.replicas.values().any(takes) {
            return Vec::new();
        }
        let is_idle = |one: &Replica| one.standing == Standing::Leaving && one.in_flight == 0;
        self.replicas.iter().filter(|(_, one)| is_idle(one)).map(|(id, _)| *id).collect()
    }

    fn of(&self, leavers: Leavers) -> impl Iterator<Item = (&ReplicaId, &Replica)> {
        self.replicas.iter().filter(move |(_, replica)| leavers.include(replica.place()))
    }

    /// A replica's stream has ended; what it was, unless it was dismissed before.
    pub(crate) fn gone(&mut self, id: ReplicaId) -> Option<Replica> {
        self.farewells.remove(&id);
        self.remove(id)
    }

    fn remove(&mut self, id: ReplicaId) -> Option<Replica> {
        let replica = self.replicas.remove(&id)?;
        self.unread -= replica.unread();
        Some(replica)
    }

    /// Whether there is one that gets transactions, be it later, and is not to go.
    pub(crate) fn has_some_to_stay(&self) -> bool {
        self.replicas.values().any(Replica::stays)
    }

    /// Whether there is one that gets transactions now, as soon as it has room.
    pub(crate) fn has_good(&self) -> bool {
        self.replicas.values().any(Replica::takes)
    }

    pub(crate) fn contains(&self, id: ReplicaId) -> bool {
        self.replicas.contains_key(&id)
    }

    /// The credential of a replica that gets transactions, be it later, and is not to go.
    pub(crate) fn stays(&self, id: ReplicaId) -> Option<Credential> {
        let replica = self.replicas.get(&id).filter(|replica| replica.stays())?;
        Some(replica.credential())
    }

    /// All of them, in the order of connection.
    pub(crate) fn ids(&self) -> Vec<ReplicaId> {
        self.replicas.keys().copied().collect()
    }

    /// Keeps a message for a replica; see [`Self::hoarder`].
    pub(crate) fn send(&mut self, id: ReplicaId, frame: Frame) {
        if let Some(replica) = self.replicas.get_mut(&id) {
            self.unread += frame.bytes().len();
            replica.send(frame);
        }
    }

    /// Who has to be dismissed for the bounds to hold, after a message was kept for `latest`: it,
    /// or whom most waits for.
    pub(crate) fn hoarder(&self, latest: ReplicaId) -> Option<ReplicaId> {
        if self.replicas.get(&latest).is_some_and(|replica| replica.is_overrun(&self.limits)) {
            return Some(latest);
        }
        if self.unread <= self.limits.chaincode_bytes {
            return None;
        }
        let (id, _) = self.replicas.iter().max_by_key(|(_, replica)| replica.unread())?;
        Some(*id)
    }

    /// The next message for a replica, or its end.
    pub(crate) fn take_for(&mut self, id: ReplicaId) -> Option<ForReplica> {
        let Some(replica) = self.replicas.get_mut(&id) else {
            let last = self.farewells.remove(&id).unwrap_or_else(ended_well);
            return Some(ForReplica::End(last));
        };
        let next = replica.take_next()?;
        self.unread -= next.bytes().len();
        Some(ForReplica::Message(next))
    }

    /// Whether a replica has so much to read that it may not ask for more.
    pub(crate) fn is_behind(&self, id: ReplicaId) -> bool {
        self.replicas.get(&id).is_some_and(|replica| !replica.may_ask(&self.limits))
    }

    /// Who gets the next transaction.
    pub(crate) fn least_busy(&self) -> Option<ReplicaId> {
        let may = |replica: &Replica| replica.takes() && replica.has_room();
        let able = self.replicas.iter().filter(|(_, replica)| may(replica));
        let (id, _) = able.min_by_key(|(_, replica)| replica.rank())?;
        Some(*id)
    }

    /// A replica answers nothing, or does again.
    pub(crate) fn set_silent(&mut self, id: ReplicaId, is_silent: bool) {
        if let Some(replica) = self.replicas.get_mut(&id) {
            replica.is_silent = is_silent;
        }
    }

    /// A replica is given a transaction.
    pub(crate) fn burden(&mut self, id: ReplicaId) {
        self.given += 1;
        if let Some(replica) = self.replicas.get_mut(&id) {
            replica.in_flight += 1;
            replica.last_given = self.given;
            replica.term.iter_mut().for_each(Term::given);
        }
    }

    /// A transaction weighs on a replica no more; what follows.
    pub(crate) fn relieve(&mut self, id: ReplicaId) -> Relief {
        let Some(replica) = self.replicas.get_mut(&id) else { return Relief::Nothing };
        replica.in_flight -= 1;
        if !replica.stays() {
            return Relief::Retired(replica.credential());
        }
        let Some(term) = &mut replica.term else { return Relief::Nothing };
        if replica.in_flight == 0 {
            term.idle_since = Instant::now();
            if term.is_spent() {
                return Relief::Spent;
            }
        }
        Relief::Room
    }

    /// Those with this credential that are there on demand.
    pub(crate) fn crew(&self, credential: Credential) -> Crew {
        let mut crew = Crew::default();
        for (_, replica) in self.of(Leavers::Set(credential)) {
            let Some(term) = &replica.term else { continue };
            if replica.in_flight > 0 {
                crew.at_work += 1;
            } else {
                crew.free += 1;
            }
            if replica.standing == Standing::Good {
                crew.room += term.room(replica.in_flight);
            }
        }
        crew
    }

    /// Who of those that are there on demand has nothing to do for the longest time, and since when,
    /// unless all of those are to be kept.
    pub(crate) fn idlest(&self, terms: &OnDemand) -> Option<(ReplicaId, Instant)> {
        let mut free = 0;
        let mut idlest: Option<(ReplicaId, Instant)> = None;
        for (id, replica) in &self.replicas {
            let is_one = replica.credential() == terms.credential && replica.in_flight == 0;
            let Some(term) = replica.term.as_ref().filter(|_| is_one) else { continue };
            free += 1;
            if idlest.is_none_or(|(_, since)| term.idle_since < since) {
                idlest = Some((*id, term.idle_since));
            }
        }
        idlest.filter(|_| free > terms.ahead)
    }

    /// Which of its set a replica is.
    pub(crate) fn seat(&self, id: ReplicaId) -> ReplicaPlace {
        self.replicas.get(&id).map(Replica::seat).unwrap_or_default()
    }

    /// A request of a replica went to the peer.
    pub(crate) fn asked(&mut self, id: ReplicaId) {
        if let Some(replica) = self.replicas.get_mut(&id) {
            replica.asked();
        }
    }

    /// The peer has answered a replica, with so many bytes.
    pub(crate) fn answered(&mut self, id: ReplicaId, bytes: usize) {
        if let Some(replica) = self.replicas.get_mut(&id) {
            replica.answered(bytes);
        }
    }

    /// Who gets the next transaction first, as long as all have equally many, and what they have.
    #[cfg(test)]
    pub(crate) fn in_turn(&self) -> Vec<InTurn> {
        let mut all: Vec<_> = self.replicas.iter().collect();
        all.sort_by_key(|(_, replica)| replica.last_given);
        let in_turn = |(id, replica): (&ReplicaId, &Replica)| InTurn {
            id: *id,
            in_flight: replica.in_flight,
            standing: replica.standing,
            room: replica.term.as_ref().map(|term| (term.room(0), term.room(replica.in_flight))),
        };
        all.into_iter().map(in_turn).collect()
    }

    /// When a first one of those that are barred gets transactions again.
    pub(crate) fn end_of_bars(&self) -> Option<Instant> {
        self.replicas.values().filter_map(Replica::end_of_bar).min()
    }

    /// Lets replicas have transactions again whose time has come; whether there was one.
    pub(crate) fn lift_bars(&mut self, now: Instant) -> bool {
        let is_due = self.end_of_bars().is_some_and(|end| end <= now);
        if is_due {
            for replica in self.replicas.values_mut() {
                if replica.end_of_bar().is_some_and(|until| until <= now) {
                    replica.standing = Standing::Good;
                }
            }
        }
        is_due
    }
}

/// What tells a replica from others, for a search that must not tell more.
#[cfg(test)]
#[derive(Debug)]
#[expect(dead_code, reason = "most of it is printed alone")]
pub(crate) struct InTurn {
    pub(crate) id: ReplicaId,
    pub(crate) in_flight: usize,
    standing: Standing,
    /// For how many it would have room that has nothing in flight, and for how many it has.
    pub(crate) room: Option<(usize, usize)>,
}

fn farewell(violation: &Violation) -> Status {
    Status::permission_denied(violation.to_string())
}

/// The last that a replica is told when there is nothing to say.
pub(crate) fn ended_well() -> Status {
    Status::new(tonic::Code::Ok, "")
}
