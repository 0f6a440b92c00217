//! A replica that does what chaincode does, and now and then something else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use selvedge_proxy::{Frame, Type};

use super::message::{self, CHANNEL};
use super::replica::Replica;

/// What becomes of one word that a replica has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is said when others have had their turn so often.
    Delayed(u8),
    /// It is never said.
    Dropped,
    /// It is said twice.
    Twice,
    /// It is said of another transaction, before it is said.
    OfAnother(usize),
    /// A chaincode must not say what is said instead.
    Illegal,
    /// A part of it is said.
    Half,
    /// The replica's side of the stream is closed instead, while it goes on reading.
    Closed,
    /// The replica's process is killed before.
    Killed,
}

/// What all replicas of a test have done that a transaction may fail of.
#[derive(Clone, Default)]
pub(crate) struct Deeds(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    /// Of which transactions something wrong was said, or nothing.
    spoilt: BTreeSet<String>,
    /// How many replicas have died.
    deaths: usize,
    /// How many have broken the protocol, of which any of their transactions may fail.
    breaches: usize,
}

impl Deeds {
    /// Whether something wrong was said of a transaction.
    pub(crate) fn have_spoilt(&self, txid: &str) -> bool {
        self.0.lock().unwrap().spoilt.contains(txid)
    }

    /// Whether any transaction may have failed.
    pub(crate) fn may_fail_any(&self) -> bool {
        let record = self.0.lock().unwrap();
        record.deaths > 1 || record.breaches > 0
    }

    fn spoil(&self, txid: &str) {
        self.0.lock().unwrap().spoilt.insert(txid.to_owned());
    }
}

/// What a transaction asks the peer, one after the other; how many of them is in its arguments.
pub(crate) fn request(txid: &str, number: usize) -> Frame {
    // Every third one opens an iterator, which nobody closes.
    let kind = [Type::GetState, Type::GetStateByRange, Type::PutState][number % 3];
    message::of(kind, txid, format!("{txid}/{number}").as_bytes())
}

/// What it ends with.
pub(crate) fn result(txid: &str, answers: &[Vec<u8>]) -> Frame {
    message::of(Type::Completed, txid, &answers.concat())
}

/// A replica with its threads.
pub(crate) struct Faulty {
    replica: Replica,
    /// What becomes of its words, in their order; nothing more when there are no more.
    faults: VecDeque<Option<Fault>>,
    txids: Vec<String>,
    deeds: Deeds,
    threads: BTreeMap<String, Thread>,
}

struct Thread {
    requests: usize,
    answers: Vec<Vec<u8>>,
}

impl Faulty {
    pub(crate) fn new(
        replica: Replica,
        faults: Vec<Option<Fault>>,
        txids: Vec<String>,
        deeds: Deeds,
    ) -> Self {
        Self { replica, faults: faults.into(), txids, deeds, threads: BTreeMap::new() }
    }

    /// Serves until its end.
    pub(crate) async fn run(mut self) {
        while let Some(frame) = self.replica.hear().await {
            let Some((txid, word)) = self.react(&frame) else { continue };
            let fault = self.faults.pop_front().flatten();
            if !self.speak(&txid, &word, fault).await {
                return;
            }
        }
        self.deeds.0.lock().unwrap().deaths += 1;
    }

    /// What the thread of a transaction says when it hears this.
    fn react(&mut self, frame: &Frame) -> Option<(String, Frame)> {
        let txid = frame.transaction().txid();
        let payload = message::payload(frame);
        match frame.kind()? {
            Type::Transaction => {
                let thread = Thread { requests: usize::from(payload[0]), answers: vec![] };
                assert!(self.threads.insert(txid.clone(), thread).is_none(), "two runs of {txid}");
            }
            Type::Response => self.threads.get_mut(&txid)?.answers.push(payload),
            // Chaincode that is told of an error ends with one.
            Type::Error => {
                self.threads.remove(&txid)?;
                return Some((txid.clone(), message::of(Type::Error, &txid, b"of the chaincode")));
            }
            _ => return None,
        }
        let thread = &self.threads[&txid];
        let word = if thread.answers.len() < thread.requests {
            request(&txid, thread.answers.len())
        } else {
            result(&txid, &thread.answers)
        };
        if word.kind() == Some(Type::Completed) {
            self.threads.remove(&txid);
        }
        Some((txid, word))
    }

    /// Says a word, in this way; whether the replica lives.
    async fn speak(&mut self, txid: &str, word: &Frame, fault: Option<Fault>) -> bool {
        match fault {
            None => {}
            Some(Fault::Delayed(turns)) => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            Some(Fault::Dropped) => {
                self.deeds.spoil(txid);
                return true;
            }
            Some(Fault::Twice) => {
                self.deeds.spoil(txid);
                self.replica.say(word).await;
            }
            Some(Fault::OfAnother(which)) => {
                let other = &self.txids[which % self.txids.len()];
                self.deeds.spoil(other);
                self.replica.say(&message::on(CHANNEL, Type::DelState, other, b"a lie")).await;
            }
            Some(Fault::Illegal) => {
                self.deeds.0.lock().unwrap().breaches += 1;
                self.replica.tell(Type::Ready, txid).await;
                return true;
            }
            Some(Fault::Half) => {
                self.deeds.0.lock().unwrap().breaches += 1;
                let whole = message::grpc(word.bytes());
                self.replica.say_raw(whole.slice(..whole.len() / 2)).await;
                self.replica.say_raw(Bytes::from_static(&[0xff; 64])).await;
                return true;
            }
            Some(Fault::Closed) => {
                self.deeds.0.lock().unwrap().deaths += 1;
                self.replica.close();
                while self.replica.hear().await.is_some() {}
                return false;
            }
            Some(Fault::Killed) => {
                self.deeds.0.lock().unwrap().deaths += 1;
                self.replica.kill();
                return false;
            }
        }
        self.replica.say(word).await;
        true
    }
}
