//! The routing of one chaincode: which transaction is with which replica.
//!
//! A state machine without I/O: it takes what came in, and leaves what is to go
//! to the peer in [`Switch::take_for_peer`]. One task owns it, so nothing here
//! is locked.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;

use selvedge_proto::fabric::ChaincodeId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::Status;

use crate::backlog::Backlog;
use crate::event::Event;
use crate::frame::{Frame, FrameError, TransactionKey, Type};
use crate::limits::Limits;
use crate::protocol::{self, FromPeer, FromReplica};
use crate::violation::{Violation, excerpt};

/// How many ended transactions are remembered per replica: a thread that the
/// chaincode left behind may still ask for something, which is the chaincode's
/// own mistake and no attack.
const REMEMBERED: usize = 64;

/// Messages queued for a replica that does not read them. More than a peer has
/// transactions in flight (core.yaml, limits.concurrency.endorserService: 2,500).
const REPLICA_QUEUE: usize = 4096;

/// A replica's number, in the order of connection.
pub(crate) type ReplicaId = u64;

/// The way to a connected replica.
pub(crate) struct ReplicaLink {
    /// What goes to the replica; an error ends its stream.
    pub(crate) outbound: mpsc::Sender<Result<Frame, Status>>,
    /// Dropped when the replica is cut off, which ends the reading of its stream.
    pub(crate) cut: oneshot::Sender<()>,
}

struct Replica {
    link: ReplicaLink,
    in_flight: usize,
    /// When it last was given a transaction, in transactions given so far.
    last_given: u64,
    ended: VecDeque<TransactionKey>,
}

struct Waiting {
    frame: Frame,
    until: Instant,
}

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
    replicas: BTreeMap<ReplicaId, Replica>,
    transactions: HashMap<TransactionKey, ReplicaId>,
    given: u64,
    passed: u64,
    waiting: VecDeque<Waiting>,
    /// Why no replica will come soon, if that is known.
    trouble: Option<String>,
    /// Why no new transaction is taken.
    closed: Option<String>,
    for_peer: Backlog,
    events: VecDeque<Event>,
}

impl Switch {
    pub(crate) fn new(package_id: String, limits: Limits) -> Self {
        Self {
            package_id,
            limits,
            peer: Peer::Silent,
            replicas: BTreeMap::new(),
            transactions: HashMap::new(),
            given: 0,
            passed: 0,
            waiting: VecDeque::new(),
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

    /// Whether so much waits for the peer that replicas must not add to it.
    pub(crate) fn is_peer_behind(&self) -> bool {
        self.for_peer.is_long()
    }

    /// What happened that someone outside wants to know, oldest first.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the peer is to be asked for registration now. True once: when the
    /// first replica is there, or when none will be and callers are to be told. Not
    /// sooner: the peer sends transactions at once, and takes the launch for over.
    pub(crate) fn start_registration(&mut self) -> bool {
        let is_due = !self.replicas.is_empty() || self.closed.is_some();
        let start = matches!(self.peer, Peer::Silent) && is_due;
        if start {
            self.peer = Peer::Registering;
        }
        start
    }

    /// The peer has taken the registration and sent `ready`.
    pub(crate) fn peer_is_ready(&mut self, ready: Frame) {
        for id in self.replicas.keys().copied().collect::<Vec<_>>() {
            self.greet(id, &ready);
        }
        self.peer = Peer::Ready(ready);
        self.events.push_back(Event::Ready);
        self.give_waiting();
    }

    /// A replica's first message.
    pub(crate) fn replica_registers(&mut self, id: ReplicaId, link: ReplicaLink, first: &Frame) {
        if let Err(violation) = self.admit(first) {
            self.events
                .push_back(Event::ReplicaCutOff { replica: id, reason: violation.to_string() });
            cut_off(link, &violation);
            return;
        }
        self.replicas
            .insert(id, Replica { link, in_flight: 0, last_given: 0, ended: VecDeque::new() });
        self.trouble = None;
        if let Peer::Ready(ready) = &self.peer {
            let ready = ready.clone();
            self.greet(id, &ready);
            self.give_waiting();
        }
    }

    fn admit(&self, first: &Frame) -> Result<(), Violation> {
        if first.kind() != Some(Type::Register) {
            return Err(Violation::NotRegistering);
        }
        let payload = first.decode()?.payload;
        let claimed = <ChaincodeId as prost::Message>::decode(&payload[..])
            .map_err(|_| FrameError::Malformed)?
            .name;
        if claimed != self.package_id {
            let claimed = excerpt(claimed);
            return Err(Violation::Impostor { claimed, expected: self.package_id.clone() });
        }
        if self.replicas.len() >= self.limits.replicas {
            return Err(Violation::TooMany(self.limits.replicas));
        }
        Ok(())
    }

    /// A replica has connected, but no first message came of it.
    pub(crate) fn replica_never_registered(&mut self, id: ReplicaId, reason: String) {
        let reason = Violation::Unregistered(reason).to_string();
        self.events.push_back(Event::ReplicaCutOff { replica: id, reason });
    }

    /// Tells a replica that it is registered and passes on the peer's READY,
    /// whose payload says which batches the peer takes.
    fn greet(&mut self, id: ReplicaId, ready: &Frame) {
        self.send(id, Frame::registered());
        self.send(id, ready.clone());
        if self.replicas.contains_key(&id) {
            self.events.push_back(Event::ReplicaReady { replica: id });
        }
    }

    /// A message of a registered replica.
    pub(crate) fn replica_says(&mut self, id: ReplicaId, frame: Frame) {
        self.passed += 1;
        // One that was cut off meanwhile has no say any more.
        let Some(replica) = self.replicas.get_mut(&id) else { return };
        let Some(meaning) = protocol::from_replica(&frame) else {
            let kind = frame.kind().map_or_else(
                || frame.kind_number().to_string(),
                |kind| kind.as_str_name().to_owned(),
            );
            return self.cut_off(id, &Violation::IllegalType(kind));
        };
        if meaning == FromReplica::Keepalive {
            return;
        }
        let key = frame.transaction();
        if self.transactions.get(&key) == Some(&id) {
            if meaning == FromReplica::End {
                self.transactions.remove(&key);
                replica.in_flight -= 1;
                replica.remember(key.detached());
            }
            self.for_peer.push_back(frame);
        } else if replica.ended.contains(&key) {
            if meaning == FromReplica::Request {
                self.send(id, Frame::error(&key, "the transaction has ended"));
            }
        } else {
            self.cut_off(id, &Violation::ForeignTransaction(excerpt(key.txid())));
        }
    }

    /// A replica's stream has ended; its transactions are answered at once.
    pub(crate) fn replica_gone(&mut self, id: ReplicaId, reason: &str) {
        if let Some(replica) = self.replicas.remove(&id) {
            let answered = self.answer_for(id, replica.in_flight, reason);
            let reason = reason.to_owned();
            self.events.push_back(Event::ReplicaGone { replica: id, reason, answered });
        }
    }

    /// A registered replica has sent what is no message.
    pub(crate) fn replica_garbles(&mut self, id: ReplicaId, reason: String) {
        self.cut_off(id, &Violation::Garbled(reason));
    }

    /// A message of the peer.
    pub(crate) fn peer_says(&mut self, frame: Frame) {
        self.passed += 1;
        match protocol::from_peer(&frame) {
            FromPeer::Begin => self.begin(frame),
            FromPeer::Keepalive => self.for_peer.push_back(Frame::keepalive()),
            FromPeer::Answer => self.answer(frame),
        }
    }

    fn begin(&mut self, frame: Frame) {
        if let Some(reason) = &self.closed {
            let reason = reason.clone();
            return self.refuse(&frame, &reason);
        }
        let key = frame.transaction();
        // The peer gave up on this transaction and was asked again: its first
        // replica may still be at it, and two must not answer for one.
        if let Some(owner) = self.transactions.get(&key).copied() {
            return self.send(owner, frame);
        }
        if let Some(id) = self.least_busy() {
            return self.give(id, frame);
        }
        match &self.trouble {
            Some(trouble) => {
                let reason = format!("no replica of the chaincode is running: {trouble}");
                self.refuse(&frame, &reason);
            }
            None if self.waiting.len() >= self.limits.waiting => {
                self.refuse(&frame, "too many transactions wait for a replica of the chaincode");
            }
            None => {
                let until = Instant::now() + self.limits.replica_wait;
                self.waiting.push_back(Waiting { frame, until });
            }
        }
    }

    fn least_busy(&self) -> Option<ReplicaId> {
        let (id, _) = self
            .replicas
            .iter()
            .min_by_key(|(_, replica)| (replica.in_flight, replica.last_given))?;
        Some(*id)
    }

    fn give(&mut self, id: ReplicaId, frame: Frame) {
        self.given += 1;
        self.transactions.insert(frame.transaction().detached(), id);
        let replica = self.replicas.get_mut(&id).expect("the least busy one is there");
        replica.in_flight += 1;
        replica.last_given = self.given;
        self.send(id, frame);
    }

    fn give_waiting(&mut self) {
        for Waiting { frame, .. } in mem::take(&mut self.waiting) {
            self.begin(frame);
        }
    }

    fn answer(&mut self, frame: Frame) {
        let key = frame.transaction();
        let owner = self.transactions.get(&key).copied().or_else(|| {
            let mut replicas = self.replicas.iter();
            replicas.find(|(_, replica)| replica.ended.contains(&key)).map(|(id, _)| *id)
        });
        // Nobody: its replica is gone, and so is who would read the answer.
        if let Some(owner) = owner {
            self.send(owner, frame);
        }
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.until)
    }

    /// Answers the transactions that have waited for a replica for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|waiting| waiting.until <= now) {
            if let Some(Waiting { frame, .. }) = self.waiting.pop_front() {
                let seconds = self.limits.replica_wait.as_secs_f32();
                let reason = format!("no replica of the chaincode became ready within {seconds} s");
                self.refuse(&frame, &reason);
            }
        }
    }

    /// Says why no replica will come soon, so that nothing waits for one in vain;
    /// holds until a replica registers.
    pub(crate) fn set_trouble(&mut self, reason: String) {
        // A process's end may be known before that of its stream is.
        self.trouble = Some(reason);
        self.give_waiting();
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

    /// How many transactions are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.transactions.len()
    }

    /// Answers every transaction that is still in flight.
    pub(crate) fn answer_all(&mut self, reason: &str) {
        for (key, _) in mem::take(&mut self.transactions) {
            self.for_peer.push_back(Frame::error(&key, reason));
        }
    }

    fn refuse(&mut self, frame: &Frame, reason: &str) {
        self.for_peer.push_back(Frame::error(&frame.transaction(), reason));
    }

    fn send(&mut self, id: ReplicaId, frame: Frame) {
        let Some(replica) = self.replicas.get(&id) else { return };
        match replica.link.outbound.try_send(Ok(frame)) {
            // A closed queue is a replica that is going; the end of its stream tells how.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.cut_off(id, &Violation::NotReading),
        }
    }

    fn cut_off(&mut self, id: ReplicaId, violation: &Violation) {
        if let Some(replica) = self.replicas.remove(&id) {
            let reason = format!("it broke the protocol: {violation}");
            self.answer_for(id, replica.in_flight, &reason);
            cut_off(replica.link, violation);
            let reason = violation.to_string();
            self.events.push_back(Event::ReplicaCutOff { replica: id, reason });
        }
    }

    /// Ends the transactions of a replica that is gone; how many there were.
    fn answer_for(&mut self, id: ReplicaId, in_flight: usize, reason: &str) -> usize {
        if in_flight > 0 {
            let text =
                format!("the chaincode's replica ended while it ran this transaction: {reason}");
            for (key, _) in self.transactions.extract_if(|_, owner| *owner == id) {
                self.for_peer.push_back(Frame::error(&key, &text));
            }
        }
        in_flight
    }
}

impl Replica {
    fn remember(&mut self, key: TransactionKey) {
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(key);
    }
}

/// The queue towards one replica: one that has just come gets all that waited at once.
pub(crate) fn replica_queue(limits: &Limits) -> usize {
    limits.waiting + REPLICA_QUEUE
}

/// Ends a replica's stream with the reason. Its process sees a failed call.
fn cut_off(link: ReplicaLink, violation: &Violation) {
    // A full queue means a replica that reads nothing: dropping the queue ends its stream too.
    let _ = link.outbound.try_send(Err(Status::permission_denied(violation.to_string())));
    drop(link.cut);
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
