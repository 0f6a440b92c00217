//! The ends of replicas, and what becomes of what they ran.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Switch;
use super::granting::lost;
use crate::budget::Budget;
use crate::course::Once;
use crate::event::{Event, Fates};
use crate::frame::{Frame, TransactionKey};
use crate::identity::Credential;
use crate::leavers::Leavers;
use crate::replica::{Place, ReplicaId};
use crate::transaction::Loss;
use crate::violation::Violation;
use crate::waiting::Wish;

impl Switch {
    /// A replica has connected, but no first message came of it.
    pub(crate) fn replica_never_registered(&mut self, id: ReplicaId, place: Place, reason: String) {
        let reason = Violation::Unregistered(reason).to_string();
        self.tell_cut_off(id, place, reason, Fates::default());
    }

    /// A replica that is dialled has not been there for a while.
    pub(crate) fn replica_unreached(
        &mut self,
        address: SocketAddr,
        credential: Credential,
        reason: String,
    ) {
        if !self.is_retired(credential) {
            self.events.push_back(Event::ReplicaUnreached { address, credential, reason });
        }
    }

    /// A replica's stream has ended; its transactions are run again, or answered as soon as may be.
    pub(crate) fn replica_gone(&mut self, id: ReplicaId, reason: &str) {
        self.lose(id, reason, |(replica, credential, reason, fates)| Event::ReplicaGone {
            replica,
            credential,
            reason,
            fates,
        });
    }

    /// A replica is given up that answers nothing; as if its stream had ended.
    pub(crate) fn replica_hangs(&mut self, id: ReplicaId, reason: &str) {
        self.lose(id, reason, |(replica, credential, reason, fates)| Event::ReplicaHung {
            replica,
            credential,
            reason,
            fates,
        });
    }

    /// A replica has not answered for a while, and gets nothing that another one can have.
    pub(crate) fn replica_silent(&mut self, id: ReplicaId) {
        self.roster.set_silent(id, true);
    }

    /// One that was silent is heard again.
    pub(crate) fn replica_heard(&mut self, id: ReplicaId) {
        self.roster.set_silent(id, false);
        self.let_idle_go();
    }

    fn lose(
        &mut self,
        id: ReplicaId,
        reason: &str,
        event: fn((ReplicaId, Credential, String, Fates)) -> Event,
    ) {
        let Some(gone) = self.roster.gone(id) else { return };
        let place = gone.place();
        let fates = self.orphan(id, reason, Budget::spend);
        let reason = reason.to_owned();
        self.crew_changes(place.credential);
        if self.is_to_go(place) {
            return self.tell_left(id, place, reason, fates);
        }
        self.events.push_back(event((id, place.credential, reason, fates)));
    }

    /// Lets a replica go, whose stream ends well; what it may still have in flight is seen to.
    pub(super) fn let_go(&mut self, id: ReplicaId) {
        let Some(gone) = self.roster.let_go(id) else { return };
        let fates = self.orphan(id, LET_GO, Budget::spend);
        self.crew_changes(gone.credential());
        self.tell_left(id, gone.place(), LET_GO.to_owned(), fates);
    }

    /// Lets all of these go that are there.
    pub(super) fn let_all_go(&mut self, leavers: Leavers) {
        self.roster.ids_of(leavers).into_iter().for_each(|id| self.let_go(id));
    }

    /// Lets those go that are to leave their places, have nothing to do and are not needed.
    pub(super) fn let_idle_go(&mut self) {
        self.roster.dispensable().into_iter().for_each(|id| self.let_go(id));
    }

    /// A registered replica has broken the protocol in a way that no message shows. What made it do
    /// so might break the next one, too, and nobody knows which transaction that is.
    pub(crate) fn replica_breaks(&mut self, id: ReplicaId, violation: &Violation) {
        self.cut_off(id, violation, |_| Some(Once::Breach));
    }

    /// A registered replica has broken the protocol with a message of this transaction, which is
    /// the one that is not run again.
    pub(super) fn breaks_in(&mut self, id: ReplicaId, key: &TransactionKey, violation: &Violation) {
        let reason = lost(0, None, &broke(violation));
        let outcome = self.transactions.end(key, id, Frame::error(key, &reason));
        self.follow(outcome);
        self.cut_off(id, violation, Budget::spend);
    }

    fn cut_off(
        &mut self,
        id: ReplicaId,
        violation: &Violation,
        obstacle: impl Fn(&Budget) -> Option<Once>,
    ) {
        let Some(dismissed) = self.roster.dismiss(id, violation) else { return };
        let fates = self.orphan(id, &broke(violation), obstacle);
        self.crew_changes(dismissed.credential());
        self.tell_cut_off(id, dismissed.place(), violation.to_string(), fates);
    }

    /// Sees to the transactions of a replica that is gone.
    pub(super) fn orphan(
        &mut self,
        id: ReplicaId,
        reason: &str,
        obstacle: impl Fn(&Budget) -> Option<Once>,
    ) -> Fates {
        let mut fates = Fates::default();
        let reason: Arc<str> = reason.into();
        let budget = &self.budget;
        for one in self.transactions.lose_replica(id, || obstacle(budget)) {
            self.follow(one.outcome);
            match one.loss {
                Loss::None => {}
                Loss::RunAgain => {
                    fates.run_again += 1;
                    self.grant(Wish::RunAgain { key: one.key, reason: Arc::clone(&reason) });
                }
                Loss::End(once) => {
                    fates.answered += 1;
                    self.end_orphan(&one.key, &lost(one.requests, Some(once), &reason));
                }
            }
        }
        fates
    }

    pub(super) fn tell_cut_off(
        &mut self,
        id: ReplicaId,
        place: Place,
        reason: String,
        fates: Fates,
    ) {
        if self.is_to_go(place) {
            return self.tell_left(id, place, reason, fates);
        }
        let Place { credential, .. } = place;
        self.events.push_back(Event::ReplicaCutOff { replica: id, credential, reason, fates });
    }

    /// However one ends that is to go: nobody misses it.
    fn tell_left(&mut self, id: ReplicaId, place: Place, reason: String, fates: Fates) {
        let Place { credential, .. } = place;
        self.events.push_back(Event::ReplicaLeft { replica: id, credential, reason, fates });
        self.finish_retirement(credential);
    }

    fn is_to_go(&self, place: Place) -> bool {
        self.retirements.standing(place).is_some()
    }
}

/// How the stream of a replica ended that was let go.
const LET_GO: &str = "it was to go, and its stream was ended";

fn broke(violation: &Violation) -> String {
    format!("it broke the protocol: {violation}")
}
