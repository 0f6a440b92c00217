//! What holds in every state, when everybody has heard what there is for him.

use super::super::peer::Context;
use super::super::scenario::Tx;
use super::World;
use crate::roster::InTurn;
use crate::transaction::Transaction;

impl World {
    /// Who waits is answered, what is begun ends, and of what has ended nothing is left.
    pub(super) fn check(&self) -> Result<(), String> {
        let waiting = self.switch.waiting.deadline();
        let mut is_idle = waiting.is_none();
        for (tx, peer) in Tx::BOTH.into_iter().zip(&self.peer) {
            let alive = || self.processes.iter().flatten();
            let waits = alive().any(|process| process.waits(tx));
            if waits && peer.busy.is_none() {
                return Err(format!("{tx:?} waits for an answer that will not come"));
            }
            let runs = |context: &Context| alive().any(|one| one.runs(tx, context.begin));
            let goes_on = |context| runs(context) || peer.busy.is_some() || waiting.is_some();
            if !peer.context.as_ref().is_none_or(goes_on) {
                return Err(format!("{tx:?} will not end"));
            }
            is_idle &= peer.context.is_none()
                && peer.busy.is_none()
                && alive().all(|process| process.threads[tx as usize].is_none());
        }
        self.check_demand()?;
        self.check_memory(is_idle)
    }

    /// As many are called for as what waits needs, and no more.
    fn check_demand(&self) -> Result<(), String> {
        let Some(terms) = self.scenario.on_demand.filter(|_| !self.is_closed) else {
            return Ok(());
        };
        let there = self.processes.iter().flatten().count();
        let most = terms.most.get();
        let has_room = self.switch.roster.least_busy().is_some();
        let waits = self.switch.waiting.len() > 0;
        if waits && !has_room && there < most && self.wanted <= there {
            return Err(format!("nobody is called for what waits: {} of {there}", self.wanted));
        }
        let at_work = self.processes.iter().flatten().filter(|one| one.at_work() > 0).count();
        let kept = there.max((at_work + terms.ahead).min(most));
        if !waits && self.wanted != kept {
            return Err(format!("{} are called for where nothing waits, {kept} stay", self.wanted));
        }
        Ok(())
    }

    fn check_memory(&self, is_idle: bool) -> Result<(), String> {
        let all = || self.switch.transactions.all();
        let counts = [
            ("journals", self.switch.transactions.kept(), all().map(Transaction::journal).sum()),
            ("awaited", self.switch.in_flight(), all().filter(|one| one.is_awaited()).count()),
            ("unread", self.switch.roster.unread, 0),
        ];
        for (what, counted, there) in counts {
            if counted != there {
                return Err(format!("{what}: {counted} by the count, {there} there"));
            }
        }
        for InTurn { id, in_flight, .. } in self.switch.roster.in_turn() {
            let there = all().filter(|one| one.burdens() == Some(id)).count();
            if in_flight != there {
                return Err(format!("{id} has {in_flight} by the count, {there} are there"));
            }
        }
        let kept = all().count();
        if kept > if is_idle { 0 } else { 2 } {
            return Err(format!("{kept} transactions are kept"));
        }
        Ok(())
    }
}
