//! All transactions in flight of one chaincode, and when the peer gives them up.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, OccupiedEntry};
use std::time::Duration;

use tokio::time::Instant;

use crate::frame::{Frame, TransactionKey};
use crate::replica::ReplicaId;
use crate::transaction::{Reader, Transaction};

/// The transactions, by channel and ID.
pub(crate) struct Transactions {
    entries: HashMap<TransactionKey, Transaction>,
    /// For how many of them the peer waits.
    awaited: usize,
    /// After which time the peer gives one up.
    limit: Duration,
    /// When the next one may be given up.
    review: Option<Instant>,
}

/// What follows when something has happened to a transaction.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The replica that is relieved of it.
    pub(crate) relieved: Option<ReplicaId>,
    /// What goes to the peer: its end, or what has to be done before that.
    pub(crate) for_peer: Option<Frame>,
    /// Whether the peer's wish to begin it anew can be met now.
    pub(crate) is_free: bool,
}

impl Transactions {
    /// None, of which the peer gives each up after `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { entries: HashMap::new(), awaited: 0, limit, review: None }
    }

    /// How many there are for whose end the peer waits.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited
    }

    pub(crate) fn contains(&self, key: &TransactionKey) -> bool {
        self.entries.contains_key(key)
    }

    /// One begins on a replica, of which nothing is left from before.
    pub(crate) fn begin(&mut self, first: Frame, replica: ReplicaId, now: Instant) {
        let transaction = Transaction::new(first, replica, now);
        self.review.get_or_insert(transaction.deadline(self.limit));
        self.entries.insert(transaction.key().clone(), transaction);
        self.awaited += 1;
    }

    /// One that `replica` may speak for.
    pub(crate) fn run_by(
        &mut self,
        key: &TransactionKey,
        replica: ReplicaId,
    ) -> Option<&mut Transaction> {
        self.entries.get_mut(key).filter(|transaction| transaction.is_run_by(replica))
    }

    /// Who runs one.
    pub(crate) fn runner(&self, key: &TransactionKey) -> Option<ReplicaId> {
        self.entries.get(key)?.runner()
    }

    /// One that `replica` may speak for ends with this message.
    pub(crate) fn end(&mut self, key: TransactionKey, replica: ReplicaId, end: Frame) -> Outcome {
        match self.entries.entry(key) {
            Entry::Occupied(mut entry) if entry.get().is_run_by(replica) => {
                let relieved = entry.get().burdens();
                entry.get_mut().end(end);
                Outcome { relieved, ..settle(entry, &mut self.awaited) }
            }
            _ => Outcome::default(),
        }
    }

    /// The peer answers a request of one; who is to read that, and what follows. Nothing, if
    /// nobody has asked.
    pub(crate) fn answer(&mut self, answer: &Frame) -> Option<(Reader, Outcome)> {
        let entry = self.entries.entry(answer.transaction());
        let Entry::Occupied(mut entry) = entry else { return None };
        let reader = entry.get_mut().take_answer(answer)?;
        Some((reader, settle(entry, &mut self.awaited)))
    }

    /// The peer wants to begin one anew. If it has to wait for what is left of the earlier run,
    /// what follows.
    pub(crate) fn begin_anew(&mut self, key: &TransactionKey) -> Option<Outcome> {
        let transaction = self.entries.get_mut(key)?;
        let relieved = transaction.burdens();
        self.awaited -= usize::from(transaction.is_awaited());
        transaction.supersede();
        Some(Outcome { relieved, ..Outcome::default() })
    }

    /// A replica is gone: ends what it ran with a text for the peer; what follows for each.
    pub(crate) fn lose_replica(
        &mut self,
        replica: ReplicaId,
        text: impl Fn(&Transaction) -> String,
    ) -> Vec<Outcome> {
        let mut keys = Vec::new();
        for (key, transaction) in &mut self.entries {
            if transaction.lose_replica(replica) {
                let end = Frame::error(key, &text(transaction));
                transaction.end(end);
                keys.push(key.clone());
            } else if transaction.is_done() {
                keys.push(key.clone());
            }
        }
        keys.into_iter().map(|key| self.settled(key)).collect()
    }

    /// Ends all that a replica of these is at with a text; what follows for each.
    pub(crate) fn interrupt(
        &mut self,
        is_one: impl Fn(ReplicaId) -> bool,
        text: &str,
    ) -> Vec<Outcome> {
        let mut interrupted = Vec::new();
        for (key, transaction) in &mut self.entries {
            if let Some(relieved) = transaction.burdens().filter(|id| is_one(*id)) {
                transaction.end(Frame::error(key, text));
                interrupted.push((key.clone(), relieved));
            }
        }
        let follow = |(key, relieved)| Outcome { relieved: Some(relieved), ..self.settled(key) };
        interrupted.into_iter().map(follow).collect()
    }

    fn settled(&mut self, key: TransactionKey) -> Outcome {
        match self.entries.entry(key) {
            Entry::Occupied(entry) => settle(entry, &mut self.awaited),
            Entry::Vacant(_) => Outcome::default(),
        }
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
        let mut outcomes = Vec::new();
        let limit = self.limit;
        let awaited = self.entries.values_mut().filter(|transaction| transaction.is_awaited());
        self.review = None;
        for transaction in awaited {
            let deadline = transaction.deadline(limit);
            if deadline <= now {
                let relieved = transaction.burdens();
                let for_peer = transaction.give_up();
                outcomes.push(Outcome { relieved, for_peer, is_free: false });
            } else {
                self.review = Some(self.review.map_or(deadline, |next| next.min(deadline)));
            }
        }
        self.awaited -= outcomes.len();
        outcomes
    }

    /// Ends all for which the peer waits with a text, whatever it may be at; nothing is left.
    pub(crate) fn end_all(&mut self, text: &str) -> Vec<Frame> {
        self.awaited = 0;
        let awaited = self.entries.drain().filter(|(_, transaction)| transaction.is_awaited());
        let ended = awaited.map(|(key, mut transaction)| {
            transaction.give_up().unwrap_or_else(|| Frame::error(&key, text))
        });
        ended.collect()
    }
}

/// What follows from a transaction's state; it is forgotten when nothing of it is left.
fn settle(
    mut entry: OccupiedEntry<'_, TransactionKey, Transaction>,
    awaited: &mut usize,
) -> Outcome {
    let transaction = entry.get_mut();
    let was_awaited = transaction.is_awaited();
    let for_peer = transaction.proceed();
    *awaited -= usize::from(was_awaited && !transaction.is_awaited());
    let is_done = transaction.is_done();
    let is_free = is_done && transaction.is_superseded();
    if is_done {
        entry.remove();
    }
    Outcome { relieved: None, for_peer, is_free }
}
