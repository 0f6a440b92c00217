//! All transactions in flight of one chaincode, and when the peer gives them up.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::course::{Course, Once};
use crate::figures::Figures;
use crate::frame::{Frame, TransactionKey};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::replica::ReplicaId;
use crate::transaction::{Asked, Loss, Reader, Readiness, Transaction};
use crate::verdict;

/// How one has failed for whose end the peer waits no more.
const UNANSWERED: &str = "the chaincode did not answer within the peer's execute timeout";

/// The transactions, by channel and ID.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Transactions {
    entries: HashMap<TransactionKey, Transaction>,
    /// For how many of them the peer waits.
    awaited: usize,
    /// What is kept for second runs of them, in bytes.
    journals: usize,
    bounds: Bounds,
    /// Where their ends are counted.
    figures: Figures,
    /// When the next one may be given up.
    review: Option<Instant>,
}

/// What of the limits concerns transactions.
#[cfg_attr(test, derive(Clone))]
struct Bounds {
    /// After which time the peer gives one up.
    execution: Duration,
    /// Whether one is run again whose replica dies.
    replay: bool,
    /// What is kept of one for that, and of all of them, in bytes.
    journal: usize,
    journals: usize,
}

/// What follows when something has happened to a transaction.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The replica that is relieved of it.
    pub(crate) relieved: Option<ReplicaId>,
    /// What goes to the peer: its end, or what has to be done before that.
    pub(crate) for_peer: Option<Frame>,
    /// Whether who waits for it may go on: the peer, which has begun it anew, or a replica that is
    /// to run it again.
    pub(crate) is_free: bool,
}

/// A transaction that has lost its replica.
pub(crate) struct Lost {
    pub(crate) key: TransactionKey,
    pub(crate) loss: Loss,
    /// How many requests of it went to the peer.
    pub(crate) requests: u32,
    /// What follows from the loss alone.
    pub(crate) outcome: Outcome,
}

impl Transactions {
    /// None, within these bounds.
    pub(crate) fn new(limits: &Limits, figures: Figures) -> Self {
        let bounds = Bounds {
            execution: limits.execution,
            replay: limits.replay,
            journal: limits.journal,
            journals: limits.journals,
        };
        Self { entries: HashMap::new(), awaited: 0, journals: 0, bounds, figures, review: None }
    }

    /// Whether those that begin from now on are run again.
    pub(crate) fn set_replay(&mut self, is_wanted: bool) {
        self.bounds.replay = is_wanted;
    }

    /// How many there are for whose end the peer waits.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited
    }

    /// What is kept for second runs of them, in bytes.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.journals
    }

    /// All of them, in no order.
    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.entries.values()
    }

    pub(crate) fn contains(&self, key: &TransactionKey) -> bool {
        self.entries.contains_key(key)
    }

    /// One begins on a replica, of which nothing is left from before. Its first message came then.
    pub(crate) fn begin(&mut self, first: &Frame, replica: ReplicaId, came: Instant) {
        let course = if self.bounds.replay {
            Course::Noted(Journal::new(first, self.bounds.journal))
        } else {
            Course::Once(Once::Off)
        };
        let transaction = Transaction::new(first, course, replica, came);
        self.review.get_or_insert(transaction.deadline(self.bounds.execution));
        let key = transaction.key().clone();
        self.awaited += 1;
        self.journals += transaction.journal();
        self.entries.insert(key.clone(), transaction);
        self.bound_journal(&key);
    }

    /// Who runs one.
    pub(crate) fn runner(&self, key: &TransactionKey) -> Option<ReplicaId> {
        self.entries.get(key)?.runner()
    }

    /// A replica asks for something; what becomes of it, if it may ask that for the transaction.
    pub(crate) fn ask(&mut self, replica: ReplicaId, request: Frame) -> Option<Asked> {
        let key = request.transaction();
        self.change_if(
            &key,
            |transaction| transaction.may_ask(replica),
            |transaction| transaction.ask(request),
        )
        .map(|(asked, _)| asked)
    }

    /// One that `replica` may speak for ends with this message, as it says.
    pub(crate) fn end(&mut self, key: &TransactionKey, replica: ReplicaId, end: Frame) -> Outcome {
        let is_its = |transaction: &Transaction| transaction.is_with(replica);
        let ended = self.change_if(key, is_its, |transaction| transaction.replica_ends(end));
        ended.map(|((), outcome)| outcome).unwrap_or_default()
    }

    /// One that `replica` is at is ended with this message.
    pub(crate) fn cut_short(
        &mut self,
        key: &TransactionKey,
        replica: ReplicaId,
        end: Frame,
    ) -> Outcome {
        let is_its = |transaction: &Transaction| transaction.is_run_by(replica);
        let ended = self.change_if(key, is_its, |transaction| transaction.cut_short(end));
        ended.map(|((), outcome)| outcome).unwrap_or_default()
    }

    /// Whether one that `replica` may speak for would end before it has done all that it did in
    /// its first run.
    pub(crate) fn ends_too_soon(&self, key: &TransactionKey, replica: ReplicaId) -> bool {
        let transaction = self.entries.get(key);
        transaction.is_some_and(|one| one.is_run_by(replica) && one.ends_too_soon())
    }

    /// The peer answers a request of one; who is to read that, and what follows. Nothing, if
    /// nobody has asked.
    pub(crate) fn answer(&mut self, answer: &Frame) -> Option<(Reader, Outcome)> {
        let key = answer.transaction();
        let (reader, outcome) = self.change(&key, |transaction| transaction.take_answer(answer))?;
        Some((reader?, outcome))
    }

    /// The peer has told one something that this version does not know; who runs it.
    pub(crate) fn tell_unknown(&mut self, key: &TransactionKey) -> Option<ReplicaId> {
        self.change(key, |transaction| transaction.forget_journal(Once::Unknown))?;
        self.runner(key)
    }

    /// The peer wants to begin one anew. If it has to wait for what is left of the earlier run,
    /// what follows.
    pub(crate) fn begin_anew(&mut self, key: &TransactionKey) -> Option<Outcome> {
        let ((), outcome) = self.change(key, Transaction::supersede)?;
        // What has left nothing behind frees the peer's way by itself.
        self.contains(key).then_some(outcome)
    }

    /// A replica is gone: what that means for each transaction that it ran, where `obstacle` says
    /// what keeps one more from being run again. Those that are to be ended are not yet.
    pub(crate) fn lose_replica(
        &mut self,
        replica: ReplicaId,
        obstacle: impl Fn() -> Option<Once>,
    ) -> Vec<Lost> {
        let its = self.entries.iter().filter(|(_, transaction)| transaction.is_with(replica));
        let keys: Vec<_> = its.map(|(key, _)| key.clone()).collect();
        let lose = |transaction: &mut Transaction| {
            let loss = transaction.lose_replica(&obstacle);
            (loss, transaction.requests())
        };
        let lost = keys.into_iter().filter_map(|key| {
            let ((loss, requests), outcome) = self.change(&key, lose)?;
            Some(Lost { key, loss, requests, outcome })
        });
        lost.collect()
    }

    /// Ends one whose replica is gone with this message; what follows.
    pub(crate) fn end_orphan(&mut self, key: &TransactionKey, end: Frame) -> Outcome {
        let is_orphan = |transaction: &Transaction| transaction.readiness() != Readiness::Unwanted;
        let ended = self.change_if(key, is_orphan, |transaction| transaction.end(end));
        ended.map(|((), outcome)| outcome).unwrap_or_default()
    }

    /// Whether one whose replica is gone can be given to another.
    pub(crate) fn readiness(&self, key: &TransactionKey) -> Readiness {
        self.entries.get(key).map_or(Readiness::Unwanted, Transaction::readiness)
    }

    /// One that is ready for it is run again by this replica, which is to be sent this.
    pub(crate) fn run_again(&mut self, key: &TransactionKey, replica: ReplicaId) -> Option<Frame> {
        self.change(key, |transaction| transaction.run_again(replica))?.0
    }

    /// Ends all that a replica of these is at with a text; what follows for each.
    pub(crate) fn interrupt(
        &mut self,
        is_one: impl Fn(ReplicaId) -> bool,
        text: &str,
    ) -> Vec<Outcome> {
        let burdening = self
            .entries
            .iter()
            .filter(|(_, transaction)| transaction.burdens().is_some_and(&is_one));
        let keys: Vec<_> = burdening.map(|(key, _)| key.clone()).collect();
        let end = |key: TransactionKey| {
            let end = Frame::error(&key, text);
            Some(self.change(&key, |transaction| transaction.cut_short(end))?.1)
        };
        keys.into_iter().filter_map(end).collect()
    }

    /// When [`Self::give_up`] has something to do.
    pub(crate) fn next_review(&self) -> Option<Instant> {
        self.review
    }

    /// Forgets for how many the peer has waited too long; what follows for each. Such a
    /// transaction serves routing alone.
    pub(crate) fn give_up(&mut self, now: Instant) -> Vec<Outcome> {
        if self.review.is_none_or(|review| review > now) {
            return Vec::new();
        }
        let limit = self.bounds.execution;
        let awaited = self.entries.iter().filter(|(_, transaction)| transaction.is_awaited());
        let deadlines = awaited.map(|(key, transaction)| (key, transaction.deadline(limit)));
        let (due, later): (Vec<_>, Vec<_>) = deadlines.partition(|(_, deadline)| *deadline <= now);
        self.review = later.into_iter().map(|(_, deadline)| deadline).min();
        let due: Vec<_> = due.into_iter().map(|(key, _)| key.clone()).collect();
        let give_up = |key| {
            let (held, outcome) = self.change(&key, Transaction::give_up)?;
            Some(Outcome { for_peer: held, ..outcome })
        };
        due.into_iter().filter_map(give_up).collect()
    }

    /// Ends all for which the peer waits with a text, whatever it may be at; nothing is left.
    pub(crate) fn end_all(&mut self, text: &str) -> Vec<Frame> {
        (self.awaited, self.journals) = (0, 0);
        let awaited = self.entries.drain().filter(|(_, transaction)| transaction.is_awaited());
        let ended = awaited.map(|(key, mut transaction)| {
            let end = transaction.give_up().unwrap_or_else(|| Frame::error(&key, text));
            self.figures.ended(transaction.age(), verdict::failure(&end));
            end
        });
        ended.collect()
    }

    fn change<R>(
        &mut self,
        key: &TransactionKey,
        what: impl FnOnce(&mut Transaction) -> R,
    ) -> Option<(R, Outcome)> {
        self.change_if(key, |_| true, what)
    }

    /// Does something to a transaction, if it is one of these; and what follows from that. It is
    /// forgotten when nothing of it is left.
    fn change_if<R>(
        &mut self,
        key: &TransactionKey,
        is_one: impl FnOnce(&Transaction) -> bool,
        what: impl FnOnce(&mut Transaction) -> R,
    ) -> Option<(R, Outcome)> {
        let transaction = self.entries.get_mut(key).filter(|transaction| is_one(transaction))?;
        let (burdened, was_awaited) = (transaction.burdens(), transaction.is_awaited());
        let journal = transaction.journal();
        let result = what(transaction);
        let for_peer = transaction.proceed();
        if was_awaited && !transaction.is_awaited() {
            self.awaited -= 1;
            // Without an end for the peer this waits no more, or has begun it anew.
            let failure =
                for_peer.as_ref().map_or_else(|| Some(UNANSWERED.to_owned()), verdict::failure);
            self.figures.ended(transaction.age(), failure);
        }
        self.journals = self.journals - journal + transaction.journal();
        let outcome = Outcome {
            relieved: burdened.filter(|_| transaction.burdens().is_none()),
            for_peer,
            is_free: transaction.lets_go_on(),
        };
        if transaction.is_done() {
            self.entries.remove(key);
        } else if transaction.journal() > journal {
            self.bound_journal(key);
        }
        Some((result, outcome))
    }

    /// Keeps no journal of one that has outgrown what may be kept.
    fn bound_journal(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.entries.get_mut(key) else { return };
        let journal = transaction.journal();
        let reason = if journal > self.bounds.journal {
            Once::TooLong
        } else if self.journals > self.bounds.journals {
            Once::NoRoom
        } else {
            return;
        };
        self.journals -= journal;
        transaction.forget_journal(reason);
    }
}
