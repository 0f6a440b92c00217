//! Which replica gets a transaction, and what becomes of one that none can have yet.

use tokio::time::Instant;

use super::Switch;
use crate::course::Once;
use crate::frame::{Frame, TransactionKey};
use crate::replica::ReplicaId;
use crate::transaction::Readiness;
use crate::verdict;
use crate::waiting::Wish;

impl Switch {
    /// The peer begins a transaction.
    pub(super) fn begin(&mut self, first: Frame) {
        self.budget.begun();
        self.figures.begun();
        self.grant(Wish::Begin { first, came: Instant::now() });
    }

    /// Meets a wish, or has it wait.
    pub(super) fn grant(&mut self, wish: Wish) {
        let now = Instant::now();
        let Err(wish) = self.try_grant(wish, now) else { return };
        if let Err(wish) = self.waiting.join(wish, now + self.patience(), &self.limits) {
            self.refuse(&wish, "too many transactions wait for a replica of the chaincode");
        }
    }

    pub(super) fn grant_waiting(&mut self) {
        let now = Instant::now();
        for mut waiting in self.waiting.take_all() {
            if let Err(wish) = self.try_grant(waiting.wish, now) {
                waiting.wish = wish;
                self.waiting.rejoin(waiting);
            }
        }
    }

    /// Gives what waits to those who have room for it, in its order.
    pub(super) fn grant_room(&mut self) {
        let (now, mut others) = (Instant::now(), Vec::new());
        while self.roster.least_busy().is_some()
            && let Some(mut waiting) = self.waiting.take_first()
        {
            if let Err(wish) = self.try_grant(waiting.wish, now) {
                // It waits for something else.
                waiting.wish = wish;
                others.push(waiting);
            }
        }
        self.waiting.put_back(others);
    }

    /// Gives a transaction to a replica, or answers it; gives the wish back if it has to wait.
    fn try_grant(&mut self, wish: Wish, now: Instant) -> Result<(), Wish> {
        match wish {
            Wish::Begin { first, came } => {
                self.try_begin(first, came, now).map_err(|first| Wish::Begin { first, came })
            }
            Wish::RunAgain { key, reason } => {
                if self.try_run_again(&key, &reason, now) {
                    return Ok(());
                }
                Err(Wish::RunAgain { key, reason })
            }
        }
    }

    fn try_begin(&mut self, first: Frame, came: Instant, now: Instant) -> Result<(), Frame> {
        let key = first.transaction();
        if let Some(reason) = self.closed.clone() {
            self.say_failed(&key, came, &reason);
            return Ok(());
        }
        // The peer gave up on this transaction and begins it anew. What it still owes to the
        // first run, and what that run still says, must not be taken for the next one's.
        if let Some(outcome) = self.transactions.begin_anew(&key) {
            self.follow(outcome);
            return Err(first);
        }
        if let Some(id) = self.roster.least_busy() {
            self.transactions.begin(&first, id, came);
            self.give(id, first);
            return Ok(());
        }
        let Some(reason) = self.why_nobody(now) else { return Err(first) };
        self.say_failed(&key, came, &format!("no replica of the chaincode is running: {reason}"));
        Ok(())
    }

    /// Has a transaction run once more whose replica has ended for `reason`; whether there is
    /// nothing to wait for any more.
    fn try_run_again(&mut self, key: &TransactionKey, reason: &str, now: Instant) -> bool {
        match self.transactions.readiness(key) {
            Readiness::Unwanted => return true,
            Readiness::NotYet => return false,
            Readiness::Never(once) => {
                self.end_orphan(key, &lost(0, Some(once), reason));
                return true;
            }
            Readiness::Ready => {}
        }
        if let Some(id) = self.roster.least_busy() {
            if let Some(first) = self.transactions.run_again(key, id) {
                self.give(id, first);
            }
            return true;
        }
        let nobody = self.closed.clone().or_else(|| self.why_nobody(now));
        let Some(nobody) = nobody else { return false };
        self.end_orphan(key, &format!("{}; no other is running: {nobody}", lost(0, None, reason)));
        true
    }

    /// Why it would be in vain to wait for a replica, if that is known.
    fn why_nobody(&self, now: Instant) -> Option<String> {
        if self.roster.has_good() {
            // It will have room again.
            return None;
        }
        if let Some(end) = self.roster.end_of_bars() {
            let seconds = end.saturating_duration_since(now).as_secs_f32();
            return (end > now + self.patience()).then(|| {
                format!(
                    "it broke the protocol again and again, and gets no transaction for another \
                     {seconds:.1} s"
                )
            });
        }
        self.trouble.as_ref().map(|(_, reason)| reason.clone())
    }

    fn give(&mut self, id: ReplicaId, first: Frame) {
        self.roster.burden(id);
        self.send(id, first);
    }

    /// Answers what has waited for too long.
    pub(super) fn refuse_overdue(&mut self, now: Instant) {
        while let Some(wish) = self.waiting.take_overdue(now) {
            // Not we, but the peer has it wait: for its own answer.
            if let Wish::RunAgain { key, .. } = &wish
                && self.transactions.readiness(key) == Readiness::NotYet
            {
                self.waiting.extend(wish, now + self.patience());
                continue;
            }
            let seconds = self.patience().as_secs_f32();
            let is_running = match &wish {
                Wish::Begin { first, .. } => self.transactions.contains(&first.transaction()),
                Wish::RunAgain { .. } => false,
            };
            let reason = if is_running {
                format!("an earlier run of this transaction did not end within {seconds} s")
            } else {
                self.why_none_came()
            };
            self.refuse(&wish, &reason);
        }
    }

    /// Answers a transaction that cannot be given to a replica.
    fn refuse(&mut self, wish: &Wish, reason: &str) {
        match wish {
            Wish::Begin { first, came } => self.say_failed(&first.transaction(), *came, reason),
            Wish::RunAgain { key, reason: end } => {
                self.end_orphan(key, &format!("{}; {reason}", lost(0, None, end)));
            }
        }
    }

    fn say_failed(&mut self, key: &TransactionKey, came: Instant, reason: &str) {
        let end = Frame::error(key, reason);
        self.figures.ended(came.elapsed(), verdict::failure(&end));
        self.for_peer.push_back(end);
    }

    /// Ends a transaction whose replica is gone, as soon as the peer may be told.
    pub(super) fn end_orphan(&mut self, key: &TransactionKey, reason: &str) {
        let outcome = self.transactions.end_orphan(key, Frame::error(key, reason));
        self.follow(outcome);
    }
}

/// What a client is told of a transaction whose replica has ended, after so many requests, and
/// which is not run again.
pub(super) fn lost(requests: u32, once: Option<Once>, reason: &str) -> String {
    let requests = match requests {
        0 => None,
        1 => Some("after 1 request".to_owned()),
        requests => Some(format!("after {requests} requests")),
    };
    let once = once.filter(|once| *once != Once::Off).map(|once| once.to_string());
    let more = requests.into_iter().chain(once).collect::<Vec<_>>().join("; ");
    let more = if more.is_empty() { more } else { format!(" ({more})") };
    format!("the chaincode's replica ended while it ran this transaction{more}: {reason}")
}
