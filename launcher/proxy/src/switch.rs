//! The routing of one chaincode: which transaction is with which replica.
//!
//! A state machine without I/O: it takes what came in, and leaves what is to go
//! to the peer in [`Switch::take_for_peer`], and to a replica in
//! [`Switch::take_for_replica`]. One task owns it, so nothing here is locked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::backlog::Backlog;
use crate::credentials::Credential;
use crate::event::Event;
use crate::frame::Frame;
use crate::limits::Limits;
use crate::protocol::{self, FromPeer, FromReplica, Offer};
use crate::replica::{ReplicaId, ReplicaLink};
use crate::retirement::Retirements;
use crate::roster::{ForReplica, Roster};
use crate::transaction::Reader;
use crate::transactions::{Outcome, Transactions};
use crate::violation::Violation;
use crate::waiting::WaitingLine;

/// From how many messages for the peer on replicas must not add to them.
const PEER_MESSAGES: usize = 1024;

/// From how many bytes on.
const PEER_BYTES: usize = 1 << 20;

/// What a replica is told of a transaction that it does not have: what a peer would say, too.
const NO_CONTEXT: &str =
    "no ledger context: this replica does not run the transaction, or it has ended";

/// Where the link to the peer stands.
enum Peer {
    /// Nothing was said to the peer: no replica has shown up yet.
    Silent,
    /// The registration is under way.
    Registering,
    /// The peer takes the chaincode as ready, and said so with this message.
    Ready(Frame),
}

/// The routing state of one chaincode.
pub(crate) struct Switch {
    package_id: String,
    limits: Limits,
    peer: Peer,
    /// What replicas may ask of this peer.
    offer: Offer,
    roster: Roster,
    retirements: Retirements,
    transactions: Transactions,
    passed: u64,
    waiting: WaitingLine,
    /// Why no replica will come soon, if that is known, and whose trouble it is.
    trouble: Option<(Credential, String)>,
    /// Why no new transaction is taken.
    closed: Option<String>,
    for_peer: Backlog,
    events: VecDeque<Event>,
}

impl Switch {
    pub(crate) fn new(package_id: String, limits: Limits) -> Self {
        Self {
            package_id,
            roster: Roster::new(limits.clone()),
            retirements: Retirements::default(),
            transactions: Transactions::new(limits.execution),
            limits,
            peer: Peer::Silent,
            offer: Offer::default(),
            passed: 0,
            waiting: WaitingLine::default(),
            trouble: None,
            closed: None,
            for_peer: Backlog::default(),
            events: VecDeque::new(),
        }
    }

    /// The next message for the peer, oldest first.
    pub(crate) fn take_for_peer(&mut self) -> Option<Frame> {
        self.for_peer.pop_front()
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
        self.events.pop_front()
    }

    /// Whether the peer is to be asked for registration now. True once: when the
    /// first replica is there, or when none will be and callers are to be told. Not
    /// sooner: the peer sends transactions at once, and takes the launch for over.
    pub(crate) fn start_registration(&mut self) -> bool {
        let is_due = self.roster.has_some_to_stay() || self.closed.is_some();
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
        self.give_waiting();
    }

    /// A replica's first message.
    pub(crate) fn replica_registers(&mut self, id: ReplicaId, link: ReplicaLink, first: &Frame) {
        let (origin, credential) = (link.origin, link.credential);
        let admitted = protocol::registers(first, &self.package_id)
            .and_then(|()| self.roster.admit(id, link, Instant::now()));
        if let Err(violation) = admitted {
            self.roster.turn_away(id, (origin, credential), &violation);
            self.tell_cut_off(id, credential, violation.to_string(), 0);
            return;
        }
        if self.retirements.contains(credential) {
            self.roster.retire(credential);
        } else {
            self.trouble = None;
        }
        if let Peer::Ready(ready) = &self.peer {
            let ready = ready.clone();
            self.greet(id, &ready);
            self.give_waiting();
        }
    }

    /// A replica has connected, but no first message came of it.
    pub(crate) fn replica_never_registered(
        &mut self,
        id: ReplicaId,
        credential: Credential,
        reason: String,
    ) {
        self.tell_cut_off(id, credential, Violation::Unregistered(reason).to_string(), 0);
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

    /// Tells a replica that it is registered and passes on the peer's READY,
    /// whose payload says which batches the peer takes.
    fn greet(&mut self, id: ReplicaId, ready: &Frame) {
        self.send(id, Frame::registered());
        self.send(id, ready.clone());
        // One that is to go gets nothing for which it would have to be ready.
        if let Some(credential) = self.roster.stays(id) {
            self.events.push_back(Event::ReplicaReady { replica: id, credential });
        }
    }

    /// A message of a registered replica.
    pub(crate) fn replica_says(&mut self, id: ReplicaId, frame: Frame) {
        self.passed += 1;
        // One that was cut off meanwhile has no say any more.
        if !self.roster.contains(id) {
            return;
        }
        match self.offer.meaning(&frame) {
            Ok(FromReplica::Keepalive) => {}
            Ok(FromReplica::Request) => self.ask(id, frame),
            Ok(FromReplica::End) => self.end(id, frame),
            Err(violation) => self.cut_off(id, &violation),
        }
    }

    /// A replica's request. One of a transaction that it does not have is no attack: a thread
    /// that the chaincode left behind may ask long after the end.
    fn ask(&mut self, id: ReplicaId, frame: Frame) {
        let key = frame.transaction();
        let Some(transaction) = self.transactions.run_by(&key, id) else {
            return self.send(id, Frame::error(&key, NO_CONTEXT));
        };
        if transaction.ask(&frame) {
            self.roster.asked(id);
            return self.for_peer.push_back(frame);
        }
        // A peer would drop it without a word, and which answer is whose is anybody's guess.
        let kind = frame.kind().map_or("a request", |kind| kind.as_str_name());
        let reason = format!(
            "the chaincode sent {kind} while the peer was answering another request of this \
             transaction; a peer answers one at a time"
        );
        let end = Frame::error(&key, &reason);
        self.send(id, end.clone());
        self.end(id, end);
    }

    /// A replica's end of a transaction. Of one that it does not have it means nothing.
    fn end(&mut self, id: ReplicaId, end: Frame) {
        let outcome = self.transactions.end(end.transaction(), id, end);
        self.follow(outcome);
    }

    /// Does what follows when something has happened to a transaction.
    fn follow(&mut self, outcome: Outcome) {
        if let Some(credential) = outcome.relieved.and_then(|id| self.roster.relieve(id)) {
            self.finish_retirement(credential);
        }
        if let Some(frame) = outcome.for_peer {
            self.for_peer.push_back(frame);
        }
        if outcome.is_free {
            self.give_waiting();
        }
    }

    /// A replica's stream has ended; its transactions are answered as soon as may be.
    pub(crate) fn replica_gone(&mut self, id: ReplicaId, reason: &str) {
        let Some(gone) = self.roster.gone(id) else { return };
        let (credential, answered) = (gone.credential(), gone.in_flight);
        self.answer_for(id, reason);
        let reason = reason.to_owned();
        if self.retirements.contains(credential) {
            return self.tell_left(id, credential, reason, answered);
        }
        self.events.push_back(Event::ReplicaGone { replica: id, credential, reason, answered });
    }

    /// A registered replica has broken the protocol in a way that no message shows.
    pub(crate) fn replica_breaks(&mut self, id: ReplicaId, violation: &Violation) {
        self.cut_off(id, violation);
    }

    /// A message of the peer.
    pub(crate) fn peer_says(&mut self, frame: Frame) {
        self.passed += 1;
        match protocol::from_peer(&frame) {
            FromPeer::Begin => self.begin(frame),
            FromPeer::Keepalive => self.for_peer.push_back(Frame::keepalive()),
            FromPeer::Answer => self.answer(frame),
            FromPeer::Other => {
                if let Some(id) = self.transactions.runner(&frame.transaction()) {
                    self.send(id, frame);
                }
            }
        }
    }

    fn begin(&mut self, first: Frame) {
        let now = Instant::now();
        let Err(first) = self.try_begin(first, now) else { return };
        if let Err(first) = self.waiting.join(first, now, &self.limits) {
            self.refuse(&first, "too many transactions wait for a replica of the chaincode");
        }
    }

    /// Gives a transaction to a replica, or answers it; gives it back if it has to wait.
    fn try_begin(&mut self, first: Frame, now: Instant) -> Result<(), Frame> {
        if let Some(reason) = self.closed.clone() {
            self.refuse(&first, &reason);
            return Ok(());
        }
        let key = first.transaction();
        // The peer gave up on this transaction and begins it anew. What it still owes to the
        // first run, and what that run still says, must not be taken for the next one's.
        if let Some(outcome) = self.transactions.begin_anew(&key) {
            self.follow(outcome);
            return Err(first);
        }
        if let Some(id) = self.roster.least_busy() {
            self.give(id, first, now);
            return Ok(());
        }
        let Some(reason) = self.why_nobody(now) else { return Err(first) };
        self.refuse(&first, &format!("no replica of the chaincode is running: {reason}"));
        Ok(())
    }

    /// Why it would be in vain to wait for a replica, if that is known.
    fn why_nobody(&self, now: Instant) -> Option<String> {
        if let Some(end) = self.roster.end_of_bars() {
            let seconds = end.saturating_duration_since(now).as_secs_f32();
            return (end > now + self.limits.replica_wait).then(|| {
                format!(
                    "it broke the protocol again and again, and gets no transaction for another \
                     {seconds:.1} s"
                )
            });
        }
        self.trouble.as_ref().map(|(_, reason)| reason.clone())
    }

    fn give(&mut self, id: ReplicaId, first: Frame, now: Instant) {
        self.transactions.begin(first.clone(), id, now);
        self.roster.burden(id);
        self.send(id, first);
    }

    fn give_waiting(&mut self) {
        let now = Instant::now();
        for mut waiting in self.waiting.take_all() {
            if let Err(first) = self.try_begin(waiting.first, now) {
                waiting.first = first;
                self.waiting.rejoin(waiting);
            }
        }
    }

    /// The peer's answer to a request, for who asked. Of a transaction that has lost its replica
    /// it is for nobody, and what was held until it came may follow.
    fn answer(&mut self, frame: Frame) {
        let Some((reader, outcome)) = self.transactions.answer(&frame) else { return };
        if let Reader::Replica(id) = reader {
            self.roster.answered(id, frame.bytes().len());
            self.send(id, frame);
        }
        self.follow(outcome);
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let moments = [
            self.waiting.deadline(),
            self.roster.end_of_bars(),
            self.transactions.next_review(),
            self.retirements.deadline(),
        ];
        moments.into_iter().flatten().min()
    }

    /// Does what is due: forgets what the peer has given up, ends what was to finish by now, and
    /// answers the transactions that have waited for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        for outcome in self.transactions.give_up(now) {
            self.follow(outcome);
        }
        while let Some((outcomes, event)) =
            self.retirements.give_up(now, &self.roster, &mut self.transactions)
        {
            self.events.push_back(event);
            for outcome in outcomes {
                self.follow(outcome);
            }
        }
        if self.roster.lift_bars(now) {
            self.give_waiting();
        }
        while let Some(first) = self.waiting.take_overdue(now) {
            let seconds = self.limits.replica_wait.as_secs_f32();
            let reason = if self.transactions.contains(&first.transaction()) {
                format!("an earlier run of this transaction did not end within {seconds} s")
            } else {
                format!("no replica of the chaincode became ready within {seconds} s")
            };
            self.refuse(&first, &reason);
        }
    }

    /// Says why no replica with this credential will come soon, so that nothing waits for one in
    /// vain; holds until a replica registers, or those with this credential are to go.
    pub(crate) fn set_trouble(&mut self, credential: Credential, reason: String) {
        if !self.retirements.contains(credential) {
            // A process's end may be known before that of its stream is.
            self.trouble = Some((credential, reason));
            self.give_waiting();
        }
    }

    /// From now on replicas with this credential get no new transaction, and have `limit` to
    /// finish what they have.
    pub(crate) fn retire(&mut self, credential: Credential, limit: Duration) {
        self.retirements.begin(credential, limit);
        self.roster.retire(credential);
        self.trouble.take_if(|(whose, _)| *whose == credential);
        self.finish_retirement(credential);
    }

    /// Whether replicas with this credential are to go.
    pub(crate) fn is_retired(&self, credential: Credential) -> bool {
        self.retirements.contains(credential)
    }

    /// Tells the owner if replicas that are to go have nothing in flight any more.
    fn finish_retirement(&mut self, credential: Credential) {
        self.events.extend(self.retirements.finish(credential, &self.roster));
    }

    /// From now on a new transaction is refused with a reason.
    pub(crate) fn close(&mut self, reason: impl Into<String>) {
        self.closed = Some(reason.into());
        self.give_waiting();
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
        self.give_waiting();
        for end in self.transactions.end_all(reason) {
            self.for_peer.push_back(end);
        }
    }

    fn refuse(&mut self, first: &Frame, reason: &str) {
        self.for_peer.push_back(Frame::error(&first.transaction(), reason));
    }

    fn send(&mut self, id: ReplicaId, frame: Frame) {
        self.roster.send(id, frame);
        while let Some(hoarder) = self.roster.hoarder(id) {
            self.cut_off(hoarder, &Violation::NotReading);
        }
    }

    fn cut_off(&mut self, id: ReplicaId, violation: &Violation) {
        let Some(dismissed) = self.roster.dismiss(id, violation) else { return };
        self.answer_for(id, &format!("it broke the protocol: {violation}"));
        let (credential, answered) = (dismissed.credential(), dismissed.in_flight);
        self.tell_cut_off(id, credential, violation.to_string(), answered);
    }

    fn tell_cut_off(
        &mut self,
        id: ReplicaId,
        credential: Credential,
        reason: String,
        answered: usize,
    ) {
        if self.retirements.contains(credential) {
            return self.tell_left(id, credential, reason, answered);
        }
        self.events.push_back(Event::ReplicaCutOff { replica: id, credential, reason });
    }

    /// However one ends that is to go: nobody misses it.
    fn tell_left(
        &mut self,
        id: ReplicaId,
        credential: Credential,
        reason: String,
        answered: usize,
    ) {
        self.events.push_back(Event::ReplicaLeft { replica: id, credential, reason, answered });
        self.finish_retirement(credential);
    }

    /// Ends the transactions of a replica that is gone.
    fn answer_for(&mut self, id: ReplicaId, reason: &str) {
        let outcomes = self.transactions.lose_replica(id, |transaction| {
            let so_far = match transaction.requests() {
                0 => String::new(),
                1 => " (after 1 request)".to_owned(),
                requests => format!(" (after {requests} requests)"),
            };
            format!("the chaincode's replica ended while it ran this transaction{so_far}: {reason}")
        });
        for outcome in outcomes {
            self.follow(outcome);
        }
    }
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
