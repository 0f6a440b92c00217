//! What replicas and the peer say, once they are linked.

use super::Switch;
use crate::event::Event;
use crate::frame::{Frame, TransactionKey};
use crate::protocol::{self, FromPeer, FromReplica};
use crate::replica::ReplicaId;
use crate::roster::Relief;
use crate::transaction::{Asked, Reader};
use crate::transactions::Outcome;

/// What a replica is told of a transaction that it does not have: what a peer would say, too.
const NO_CONTEXT: &str =
    "no ledger context: this replica does not run the transaction, or it has ended";

/// What a client is told of chaincode that is not deterministic.
const DIFFERS: &str = "the chaincode's replica ended while it ran this transaction, and when it \
                       was run again it did something else than before: the chaincode is not \
                       deterministic";

impl Switch {
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
            Err(violation) => self.breaks_in(id, &frame.transaction(), &violation),
        }
    }

    /// A replica's request. One of a transaction that it does not have is no attack: a thread
    /// that the chaincode left behind may ask long after the end.
    fn ask(&mut self, id: ReplicaId, request: Frame) {
        let (key, kind) = (request.transaction(), request.kind());
        match self.transactions.ask(id, request) {
            None => self.send(id, Frame::error(&key, NO_CONTEXT)),
            Some(Asked::ForPeer(request)) => {
                self.roster.asked(id);
                self.for_peer.push_back(request);
            }
            Some(Asked::Answered(answer)) => self.send(id, answer),
            Some(Asked::TooSoon) => {
                // A peer would drop it without a word, and which answer is whose is anybody's guess.
                let kind = kind.map_or("a request", |kind| kind.as_str_name());
                let reason = format!(
                    "the chaincode sent {kind} while the peer was answering another request of \
                     this transaction; a peer answers one at a time"
                );
                self.fail(id, &key, &reason);
            }
            Some(Asked::Differs) => {
                self.fail(id, &key, DIFFERS);
                self.tell_differed(&key);
            }
        }
    }

    /// Ends a transaction with an error, for its replica as for the peer.
    fn fail(&mut self, id: ReplicaId, key: &TransactionKey, reason: &str) {
        let end = Frame::error(key, reason);
        self.send(id, end.clone());
        let outcome = self.transactions.cut_short(key, id, end);
        self.follow(outcome);
    }

    /// A replica's end of a transaction. Of one that it does not have it means nothing.
    fn end(&mut self, id: ReplicaId, end: Frame) {
        let key = end.transaction();
        if self.transactions.ends_too_soon(&key, id) {
            let outcome = self.transactions.end(&key, id, Frame::error(&key, DIFFERS));
            self.follow(outcome);
            return self.tell_differed(&key);
        }
        let outcome = self.transactions.end(&key, id, end);
        self.follow(outcome);
    }

    fn tell_differed(&mut self, key: &TransactionKey) {
        self.differed += 1;
        self.events.push_back(Event::TransactionDiffered {
            channel: key.channel(),
            transaction: key.txid(),
            number: self.differed,
        });
    }

    /// A message of the peer.
    pub(crate) fn peer_says(&mut self, frame: Frame) {
        self.passed += 1;
        self.figures.heard(frame.bytes().len());
        match protocol::from_peer(&frame) {
            FromPeer::Begin => self.begin(frame),
            FromPeer::Keepalive => self.for_peer.push_back(Frame::keepalive()),
            FromPeer::Answer => self.answer(frame),
            FromPeer::Other => {
                if let Some(id) = self.transactions.tell_unknown(&frame.transaction()) {
                    self.send(id, frame);
                }
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

    /// Does what follows when something has happened to a transaction.
    pub(super) fn follow(&mut self, outcome: Outcome) {
        let relief = outcome.relieved.map(|id| (id, self.roster.relieve(id)));
        if let Some(frame) = outcome.for_peer {
            self.for_peer.push_back(frame);
        }
        match relief {
            None | Some((_, Relief::Nothing)) => {}
            Some((_, Relief::Retired(credential))) => self.finish_retirement(credential),
            Some((_, Relief::Room)) => self.grant_room(),
            Some((id, Relief::Spent)) => self.part_with(id),
        }
        if outcome.is_free {
            self.grant_waiting();
        }
    }
}
