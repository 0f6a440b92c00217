//! A peer, the switch and its replicas, and all that can happen next.

#[path = "world/fingerprint.rs"]
mod fingerprint;
#[path = "world/hearing.rs"]
mod hearing;
#[path = "world/laws.rs"]
mod laws;

use std::mem;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::action::Action;
use super::chaincode::Process;
use super::peer::{AtPeer, Context, Heard};
use super::scenario::{Left, Scenario, Tx};
use crate::figures::Figures;
use crate::frame::{Frame, Type};
use crate::identity::Credential;
use crate::replica::{Place, ReplicaId};
use crate::switch::Switch;
use crate::switch::tests::{HERE, PACKAGE, frame, link, ready};
use crate::violation::Violation;

/// Something that has to have been seen for a search to be worth anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// The peer was told something.
    Peer(Heard),
    /// A run went on on another replica.
    RunAgain,
    /// A second run did something else.
    Differed,
    /// A transaction was begun while its earlier run went on.
    BegunAnew,
    /// A replica that was to go had nothing left.
    Retired,
    /// The stream of one that was to go was ended.
    LetGo,
    /// One that was there on demand was let go.
    Released,
}

/// How it stands with all of them.
#[derive(Clone)]
pub(super) struct World {
    scenario: Rc<Scenario>,
    start: Instant,
    left: Left,
    switch: Switch,
    peer: [AtPeer; 2],
    /// By their numbers; none where one has died.
    processes: Vec<Option<Process>>,
    /// How often which of the two kinds of replicas broke the protocol.
    breaches: [u8; 2],
    retired: Option<ReplicaId>,
    released: Option<ReplicaId>,
    is_closed: bool,
    /// How many are called for.
    wanted: usize,
    sights: Vec<Sight>,
}

impl World {
    /// Two replicas, and a peer that is ready.
    pub(super) fn new(scenario: Rc<Scenario>) -> Self {
        let mut world = Self {
            left: scenario.left,
            switch: Switch::new(PACKAGE.into(), scenario.limits.clone(), Figures::default()),
            scenario,
            start: Instant::now(),
            peer: Default::default(),
            processes: Vec::new(),
            breaches: [0, 0],
            retired: None,
            released: None,
            is_closed: false,
            wanted: 0,
            sights: Vec::new(),
        };
        world.switch.set_on_demand(world.scenario.on_demand);
        world.switch.peer_is_ready(ready());
        if world.scenario.on_demand.is_none() {
            world.arrive();
            world.arrive();
        }
        world.settle().expect("nothing has happened");
        world
    }

    pub(super) fn take_sights(&mut self) -> Vec<Sight> {
        mem::take(&mut self.sights)
    }

    /// What can happen next.
    pub(super) fn actions(&self) -> Vec<Action> {
        let (left, mut actions) = (self.left, Vec::new());
        let mut may = |is_so: bool, action| {
            if is_so {
                actions.push(action);
            }
        };
        for tx in Tx::BOTH {
            let peer = &self.peer[tx as usize];
            let again = peer.begun == 0 || left.begins > 0;
            may(peer.context.is_none() && again, Action::Begin(tx));
            may(peer.busy.is_some(), Action::Answer(tx));
            may(peer.busy.is_some() && left.failures > 0, Action::Fail(tx));
            may(peer.context.is_some() && left.give_ups > 0, Action::GiveUp(tx));
        }
        for process in self.processes.iter().flatten() {
            let id = process.id;
            for tx in Tx::BOTH {
                let thread = process.threads[tx as usize].as_ref();
                may(thread.is_some_and(|thread| !thread.waits), Action::Speak(id, tx));
                may(left.strays > 0, Action::Stray(id, tx, Type::DelState));
                may(left.strays > 0 && thread.is_none(), Action::Stray(id, tx, Type::Completed));
                may(left.breaches > 0, Action::Breach(id, tx));
            }
            may(left.hangs > 0, Action::Hang(id));
            may(left.deaths > 0, Action::Die(id));
            may(left.silences > 0 && !process.is_silent, Action::Silence(id, true));
            may(process.is_silent, Action::Silence(id, false));
            may(left.retirements > 0, Action::Retire(id));
            may(left.releases > 0, Action::Release(id));
        }
        let there = self.processes.iter().flatten().count();
        let is_called_for = there < self.wanted && !self.is_closed;
        let may_come = self.scenario.on_demand.is_none() || is_called_for;
        may(left.arrivals > 0 && may_come, Action::Arrive);
        may(left.no_shows > 0 && is_called_for, Action::NoShow);
        may(left.closures > 0 && !self.is_closed, Action::Close);
        may(left.closures > 0 && self.is_closed, Action::Interrupt);
        may(self.may_wait(), Action::Wait);
        actions
    }

    /// The switch knows the peer's limit: it never gives a transaction up before the peer does.
    fn may_wait(&self) -> bool {
        let Some(due) = self.switch.next_expiry() else { return false };
        let is_over = due >= self.start + self.scenario.limits.execution;
        !is_over || self.peer.iter().all(|peer| peer.context.is_none())
    }

    /// Does one thing, and what follows from it at once; an error, if a law is broken.
    pub(super) fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Begin(tx) => self.begin(tx),
            Action::Answer(tx) => self.answer(tx, true),
            Action::Fail(tx) => {
                self.left.failures -= 1;
                self.answer(tx, false);
            }
            Action::GiveUp(tx) => {
                self.left.give_ups -= 1;
                self.peer[tx as usize].give_up();
            }
            Action::Speak(id, tx) => {
                let script = self.scenario.script(tx, id);
                let said = self.process(id).speak(tx, script);
                self.switch.replica_says(id, said);
            }
            Action::Stray(id, tx, kind) => self.stray(id, tx, kind),
            Action::Breach(id, tx) => {
                self.left.breaches -= 1;
                self.breaches[usize::from(is_like(id, 1))] += 1;
                self.suspect(id, tx);
                self.lose(id);
                self.switch.replica_says(id, frame(Type::Ready, "ch", tx.txid()));
            }
            Action::Hang(id) => {
                self.left.hangs -= 1;
                self.breaches[usize::from(is_like(id, 1))] += 1;
                // Whichever it was.
                for tx in Tx::BOTH {
                    self.suspect(id, tx);
                }
                self.lose(id);
                self.switch.replica_breaks(id, &Violation::NotWriting);
            }
            Action::Die(id) => {
                self.left.deaths -= 1;
                self.lose(id);
                self.switch.replica_gone(id, "it died");
            }
            Action::Silence(id, true) => {
                self.left.silences -= 1;
                self.process(id).is_silent = true;
                self.switch.replica_silent(id);
            }
            Action::Silence(id, false) => {
                self.process(id).is_silent = false;
                self.switch.replica_heard(id);
            }
            Action::Arrive => {
                self.left.arrivals -= 1;
                self.arrive();
            }
            Action::NoShow => {
                self.left.no_shows -= 1;
                self.excuse_waiting(|_| true);
                let credential = self.credential(0);
                self.switch.set_trouble(credential, "it does not start".into());
            }
            Action::Retire(id) => {
                self.left.retirements -= 1;
                self.retired = Some(id);
                self.switch.retire(self.credential(id), Duration::from_secs(1));
            }
            Action::Release(id) => {
                self.left.releases -= 1;
                self.released = Some(id);
                self.switch.release(place(id), Duration::from_secs(1));
            }
            Action::Close => {
                self.is_closed = true;
                self.excuse_waiting(|_| true);
                self.switch.close("the chaincode is being stopped");
            }
            Action::Interrupt => {
                self.left.closures -= 1;
                self.contexts().for_each(|context| context.may_fail = true);
                self.switch.interrupt("the chaincode is being stopped");
            }
            Action::Wait => self.wait(),
        }
        self.settle()?;
        self.check()
    }
}

impl World {
    fn process(&mut self, id: ReplicaId) -> &mut Process {
        self.processes.iter_mut().flatten().find(|process| process.id == id).expect("it lives")
    }

    fn contexts(&mut self) -> impl Iterator<Item = &mut Context> {
        self.peer.iter_mut().filter_map(|peer| peer.context.as_mut())
    }

    fn begin(&mut self, tx: Tx) {
        let runs = self.processes.iter().flatten().any(|one| one.threads[tx as usize].is_some());
        if runs {
            self.sights.push(Sight::BegunAnew);
        }
        let peer = &mut self.peer[tx as usize];
        self.left.begins -= u8::from(peer.begun > 0);
        let first = peer.begin(tx, self.is_closed);
        self.switch.peer_says(first);
    }

    fn answer(&mut self, tx: Tx, is_well: bool) {
        let answer = self.peer[tx as usize].answer(tx, is_well);
        self.switch.peer_says(answer);
    }

    fn arrive(&mut self) {
        let id = self.processes.len() as ReplicaId;
        self.processes.push(Some(Process::new(id)));
        let link = link(self.place(id));
        self.switch.replica_registers(id, link, &Frame::register(PACKAGE));
    }

    /// What a replica shows: those that are there on demand the same.
    fn credential(&self, id: ReplicaId) -> Credential {
        self.scenario.on_demand.map_or_else(|| credential(id), |terms| terms.credential)
    }

    /// Where it is.
    fn place(&self, id: ReplicaId) -> Place {
        Place { credential: self.credential(id), ..place(id) }
    }

    /// What is said out of turn for a run that goes on makes it another one.
    fn stray(&mut self, id: ReplicaId, tx: Tx, kind: Type) {
        self.left.strays -= 1;
        if let Some(context) = self.context_of(id, tx) {
            context.strays += 1;
            context.may_fail = true;
        }
        let said = self.process(id).stray(tx, kind);
        self.switch.replica_says(id, said);
    }

    /// What the peer has of the run that a replica is at.
    fn context_of(&mut self, id: ReplicaId, tx: Tx) -> Option<&mut Context> {
        let run = self.process(id).threads[tx as usize].as_ref()?.begin;
        let context = self.peer[tx as usize].context.as_mut();
        context.filter(|context| context.begin == run)
    }

    /// A replica broke the protocol, perhaps in this transaction: it is not run again.
    fn suspect(&mut self, id: ReplicaId, tx: Tx) {
        if let Some(context) = self.context_of(id, tx) {
            context.may_fail = true;
        }
    }

    /// A replica is no more.
    fn lose(&mut self, id: ReplicaId) {
        let is_closed = self.is_closed;
        for tx in Tx::BOTH {
            if let Some(context) = self.context_of(id, tx) {
                context.losses += 1;
                context.may_fail |= is_closed;
            }
        }
        self.processes[usize::try_from(id).unwrap()] = None;
    }

    /// From now on an ERROR may be told to whom none of these replicas runs.
    fn excuse_waiting(&mut self, is_one: impl Fn(ReplicaId) -> bool) {
        let processes = || self.processes.iter().flatten().filter(|process| is_one(process.id));
        for (tx, peer) in Tx::BOTH.into_iter().zip(&mut self.peer) {
            if let Some(context) = &mut peer.context {
                context.may_fail |= !processes().any(|process| process.runs(tx, context.begin));
            }
        }
    }

    /// Who is to go and has seen its stream end well, ends; not in the middle of a run that may go on.
    fn see_off(&mut self) -> Result<(), String> {
        let alive = self.processes.iter().flatten().map(|process| process.id);
        let gone: Vec<_> = alive.filter(|id| !self.switch.has_replica(*id)).collect();
        for id in gone {
            for tx in Tx::BOTH {
                if self.context_of(id, tx).is_some_and(|context| !context.may_fail) {
                    return Err(format!("{id} is let go while it runs {tx:?}"));
                }
            }
            self.processes[usize::try_from(id).unwrap()] = None;
            self.sights.push(Sight::LetGo);
        }
        Ok(())
    }

    fn wait(&mut self) {
        let leaving = [self.retired, self.released];
        self.excuse_waiting(|id| !leaving.iter().flatten().any(|one| is_like(id, *one)));
        let due = self.switch.next_expiry().expect("something is due");
        self.switch.expire(due);
    }
}

/// Every second one comes from the same place, and shows the same.
pub(super) fn credential(id: ReplicaId) -> Credential {
    Credential::of(&[u8::try_from(id % 2).unwrap()])
}

fn place(id: ReplicaId) -> Place {
    Place { origin: HERE.into(), credential: credential(id) }
}

fn is_like(one: ReplicaId, other: ReplicaId) -> bool {
    one % 2 == other % 2
}
