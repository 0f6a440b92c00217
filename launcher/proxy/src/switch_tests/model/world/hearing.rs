//! Who is told what, and whether it is for him.

use super::super::peer::Rules;
use super::super::scenario::Tx;
use super::{Sight, World, is_like};
use crate::event::Event;
use crate::frame::{Frame, Type};
use crate::replica::ReplicaId;
use crate::roster::ForReplica;

impl World {
    /// Everybody hears what there is for him.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        loop {
            while let Some(frame) = self.switch.take_for_peer() {
                self.tell_peer(&frame)?;
            }
            let ids: Vec<_> = self.processes.iter().flatten().map(|process| process.id).collect();
            for id in ids {
                while let Some(ForReplica::Message(frame)) = self.switch.take_for_replica(id) {
                    self.tell_replica(id, &frame)?;
                }
            }
            while let Some(event) = self.switch.take_event() {
                self.note(&event)?;
            }
            self.see_off()?;
            if !self.switch.has_for_peer() {
                return Ok(());
            }
        }
    }

    fn tell_peer(&mut self, frame: &Frame) -> Result<(), String> {
        let tx = Tx::of(frame).ok_or("a message of no transaction")?;
        let rules = Rules { scripts: &self.scenario.scripts(tx), losses: self.scenario.losses };
        let heard = self.peer[tx as usize]
            .hear(frame, &rules)
            .map_err(|broken| format!("the peer was told of {tx:?}: {broken}"))?;
        self.sights.push(Sight::Peer(heard));
        Ok(())
    }

    fn tell_replica(&mut self, id: ReplicaId, frame: &Frame) -> Result<(), String> {
        let Some(tx) = Tx::of(frame) else { return Ok(()) };
        if frame.kind() == Some(Type::Transaction) {
            if self.retired.is_some_and(|retired| is_like(retired, id)) {
                return Err(format!("{id} is to go, and gets {tx:?}"));
            }
            if self.released.is_some_and(|released| is_like(released, id)) && self.has_other(id) {
                return Err(format!("{id} is to go, and gets {tx:?}, which another could have"));
            }
            let is_heard = self.processes.iter().flatten().any(|process| !process.is_silent);
            if self.process(id).is_silent && is_heard && self.is_usual() {
                return Err(format!("{id} is silent, and gets {tx:?}"));
            }
            let losses = self.peer[tx as usize].context.as_ref().map(|context| context.losses);
            self.sights.extend((losses > Some(0)).then_some(Sight::RunAgain));
        }
        self.process(id).hear(tx, frame)?;
        self.check_terms(id)
    }

    /// Whether a replica that is there on demand has no more than it may have.
    fn check_terms(&mut self, id: ReplicaId) -> Result<(), String> {
        let Some(terms) = self.scenario.on_demand else { return Ok(()) };
        let process = self.process(id);
        if process.at_work() > terms.concurrency.get() {
            return Err(format!("{id} has more at once than it may have"));
        }
        if terms.calls.is_some_and(|calls| u32::from(process.given) > calls.get()) {
            return Err(format!("{id} gets more than it may have"));
        }
        Ok(())
    }

    /// One is let go, and ends.
    fn let_go(&mut self, id: ReplicaId) -> Result<(), String> {
        self.sights.push(Sight::Released);
        if self.process(id).at_work() > 0 {
            return Err(format!("{id} is let go amidst a transaction"));
        }
        self.lose(id);
        Ok(())
    }

    /// Whether one is there that is not like this one.
    fn has_other(&self, id: ReplicaId) -> bool {
        self.processes.iter().flatten().any(|process| !is_like(process.id, id))
    }

    /// Whether all replicas may get transactions.
    fn is_usual(&self) -> bool {
        self.retired.is_none() && self.released.is_none() && self.breaches == [0, 0]
    }

    fn note(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::TransactionDiffered { .. } if self.scenario.is_deterministic() => {
                return Err("a run that is the same counts as another one".into());
            }
            Event::TransactionDiffered { .. } => self.sights.push(Sight::Differed),
            Event::Retired { .. } => self.sights.push(Sight::Retired),
            Event::ReplicaReleased { replica, .. } => self.let_go(*replica)?,
            Event::Wanted { processes, .. } => self.wanted = *processes,
            _ => {}
        }
        Ok(())
    }
}
