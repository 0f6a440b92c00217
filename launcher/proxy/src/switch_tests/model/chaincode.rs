//! A replica's process: the same code each time, a thread for each transaction, and perhaps one
//! that speaks out of turn.

use prost::Message;

use super::scenario::Tx;
use crate::frame::{Frame, Type};
use crate::replica::ReplicaId;
use crate::switch::tests::replay::message;

/// What is in a request that was said out of turn.
pub(super) const STRAY: &[u8] = b"stray";

/// What a run comes to: nobody but the peer knows whether that is right.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Outcome {
    #[prost(uint32, tag = "1")]
    pub(super) begin: u32,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) answers: Vec<Vec<u8>>,
}

/// A process that runs the chaincode.
#[derive(Clone, Hash)]
pub(super) struct Process {
    pub(super) id: ReplicaId,
    pub(super) threads: [Option<Thread>; 2],
    /// How many answers are to come for what was said out of turn.
    pub(super) owed: [u8; 2],
    /// Whether the last request was said out of turn.
    strayed: bool,
    pub(super) is_silent: bool,
    /// How many transactions it was given.
    pub(super) given: u8,
}

/// A run of a transaction.
#[derive(Clone, Hash)]
pub(super) struct Thread {
    /// Which run of the peer's it is.
    pub(super) begin: u8,
    answers: Vec<Vec<u8>>,
    pub(super) waits: bool,
    /// Whether an answer was an error: it asks for nothing more.
    has_failed: bool,
}

impl Process {
    pub(super) fn new(id: ReplicaId) -> Self {
        let (threads, owed) = ([None, None], [0, 0]);
        Self { id, threads, owed, strayed: false, is_silent: false, given: 0 }
    }

    /// How many transactions it is at.
    pub(super) fn at_work(&self) -> usize {
        self.threads.iter().flatten().count()
    }

    /// Whether it is at this run.
    pub(super) fn runs(&self, tx: Tx, begin: u8) -> bool {
        self.threads[tx as usize].as_ref().is_some_and(|thread| thread.begin == begin)
    }

    /// Whether it waits for an answer.
    pub(super) fn waits(&self, tx: Tx) -> bool {
        let thread = self.threads[tx as usize].as_ref();
        self.owed[tx as usize] > 0 || thread.is_some_and(|thread| thread.waits)
    }

    /// What its thread says next: what comes next in the script, or the end with all answers.
    pub(super) fn speak(&mut self, tx: Tx, script: &[Type]) -> Frame {
        let thread = self.threads[tx as usize].as_mut().expect("a thread that can speak");
        let asked = thread.answers.len();
        if let Some(kind) = script.get(asked)
            && !thread.has_failed
        {
            thread.waits = true;
            self.strayed = false;
            return message(*kind, tx.txid(), &[thread.begin, u8::try_from(asked).unwrap()]);
        }
        let result = Outcome { begin: thread.begin.into(), answers: thread.answers.clone() };
        self.threads[tx as usize] = None;
        message(Type::Completed, tx.txid(), &result.encode_to_vec())
    }

    /// Something that another thread says, which the chaincode has left behind.
    pub(super) fn stray(&mut self, tx: Tx, kind: Type) -> Frame {
        if kind != Type::Completed {
            self.owed[tx as usize] += 1;
            self.strayed = true;
        }
        message(kind, tx.txid(), STRAY)
    }

    /// It is told something; an error, if that is nothing for it.
    pub(super) fn hear(&mut self, tx: Tx, frame: &Frame) -> Result<(), String> {
        let payload = frame.payload().to_vec();
        if frame.kind() == Some(Type::Transaction) {
            let thread =
                Thread { begin: payload[0], answers: vec![], waits: false, has_failed: false };
            self.given += 1;
            return match self.threads[tx as usize].replace(thread) {
                None => Ok(()),
                Some(_) => Err(format!("{} has two runs of {tx:?} at once", self.id)),
            };
        }
        let is_error = frame.kind() == Some(Type::Error);
        // The peer's answers end in what was asked; what the proxy says itself comes at once.
        let is_of_proxy = payload.last().is_some_and(u8::is_ascii_graphic);
        if payload.ends_with(STRAY) || (is_of_proxy && self.strayed) {
            self.owed[tx as usize] =
                self.owed[tx as usize].checked_sub(1).ok_or("an answer that nobody waits for")?;
            return Ok(());
        }
        let foreign = || format!("{} gets an answer of {tx:?} that is not its", self.id);
        let thread =
            self.threads[tx as usize].as_mut().filter(|thread| thread.waits).ok_or_else(foreign)?;
        let own = [thread.begin, u8::try_from(thread.answers.len()).unwrap()];
        if !is_of_proxy && !payload.ends_with(&own) {
            return Err(foreign());
        }
        thread.answers.push(payload);
        (thread.waits, thread.has_failed) = (false, is_error);
        Ok(())
    }
}
