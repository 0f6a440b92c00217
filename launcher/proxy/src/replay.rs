//! The second run of a transaction whose replica died: what the first one asked is answered from
//! its journal, and the peer hears of what goes beyond.
//!
//! A peer simulates a transaction in one place, for as long as it is not told of an end: what was
//! read is in the read set, what was written in the write set, and a cursor stands where it was
//! left. All of that still holds when the replica is gone. So a second run that asks just the same
//! as the first one may be given the same answers without the peer's part, and from there on the
//! peer goes on with the simulation that it has: each request has reached it once.
//!
//! Chaincode that does not ask the same again is not deterministic. Its endorsers would not agree
//! either; here it is noticed on one of them.

use std::collections::VecDeque;
use std::collections::hash_map::{self, HashMap};

use crate::batch::{self, Record};
use crate::digest::Digest;
use crate::exchanged::{Exchanged, Request};
use crate::frame::Frame;

/// What the first run did and the second one has not done yet.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Replay {
    entries: VecDeque<Exchanged>,
    batches: Option<Batches>,
}

/// Batches that followed one another in the first run, of which the second one is amidst.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Batches {
    /// The writes that the second run has still to do, each with how often.
    owed: HashMap<Digest, u32>,
    /// What the peer said to them.
    answer: Frame,
}

/// What becomes of a request of the second run.
#[derive(Debug)]
pub(crate) enum Repeated {
    /// The peer has answered it already, with this.
    Answered(Frame),
    /// The peer is to be asked this, of which it knows nothing yet.
    Beyond(Frame),
    /// The first run did not ask this here.
    Differs,
}

impl Replay {
    /// After a first run that did this.
    pub(crate) fn new(entries: VecDeque<Exchanged>) -> Self {
        Self { entries, batches: None }
    }

    /// Whether the second run has done all that the first one did.
    pub(crate) fn is_over(&self) -> bool {
        self.entries.is_empty() && self.owes_no_writes()
    }

    /// The second run asks for something.
    pub(crate) fn ask(&mut self, request: Frame) -> Repeated {
        if let Some(records) = batch::records(&request)
            && let Some(batches) = self.batches()
        {
            return batches.repeat(&records, request);
        }
        if !self.owes_no_writes() {
            return Repeated::Differs;
        }
        self.batches = None;
        match self.entries.pop_front() {
            None => Repeated::Beyond(request),
            Some(entry) if entry.request == Request::of(&request) => {
                Repeated::Answered(entry.answer)
            }
            Some(_) => Repeated::Differs,
        }
    }

    fn owes_no_writes(&self) -> bool {
        self.batches.as_ref().is_none_or(|batches| batches.owed.is_empty())
    }

    /// The batches that the second run is amidst, or that it comes to.
    fn batches(&mut self) -> Option<&mut Batches> {
        let is_batch = |entry: &mut Exchanged| matches!(entry.request, Request::Batch(_));
        while let Some(Exchanged { request: Request::Batch(writes), answer }) =
            self.entries.pop_front_if(is_batch)
        {
            // Of one that failed there is no journal: all answers say that it is done.
            let batches = self.batches.get_or_insert(Batches { owed: HashMap::new(), answer });
            for write in writes {
                *batches.owed.entry(write).or_default() += 1;
            }
        }
        self.batches.as_mut()
    }
}

impl Batches {
    /// Whether this write was owed; it is not any more.
    fn pay(&mut self, write: Digest) -> bool {
        let hash_map::Entry::Occupied(mut owed) = self.owed.entry(write) else { return false };
        *owed.get_mut() -= 1;
        if *owed.get() == 0 {
            owed.remove();
        }
        true
    }

    fn repeat(&mut self, records: &[Record], request: Frame) -> Repeated {
        let mut beyond = records.to_vec();
        beyond.retain(|record| !self.pay(record.digest()));
        if beyond.is_empty() {
            Repeated::Answered(self.answer.clone())
        } else if beyond.len() == records.len() {
            Repeated::Beyond(request)
        } else {
            Repeated::Beyond(batch::request(&beyond, &request))
        }
    }
}
