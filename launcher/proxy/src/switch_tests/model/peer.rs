//! A peer that keeps to what Fabric's does (`core/chaincode/handler.go`), and says what it is told
//! against that.

use std::collections::BTreeSet;

use prost::Message;

use super::chaincode::{Outcome, STRAY};
use super::scenario::Tx;
use crate::frame::{Frame, Type};
use crate::switch::tests::replay::message;

/// What the peer knows of one transaction.
#[derive(Clone, Default, Hash)]
pub(super) struct AtPeer {
    /// How often it was begun.
    pub(super) begun: u8,
    pub(super) context: Option<Context>,
    /// The run was given up, and the chaincode's end of it may still come.
    pub(super) was_given_up: bool,
    /// What the peer is at work on.
    pub(super) busy: Option<Work>,
}

/// One simulation of a transaction.
#[derive(Clone, Hash)]
pub(super) struct Context {
    pub(super) begin: u8,
    /// What was asked of it, in its order.
    asks: Vec<Type>,
    answers: Vec<Vec<u8>>,
    /// The open iterators, and all that were opened.
    open: BTreeSet<String>,
    opened: BTreeSet<String>,
    /// Whether it is being brought to an end by the proxy, which closes what is open.
    is_closing: bool,
    /// How many replicas have died at it.
    pub(super) losses: u8,
    /// Whether something has happened that an ERROR may be told for.
    pub(super) may_fail: bool,
    /// How many requests said out of turn may be for it.
    pub(super) strays: u8,
}

/// A request.
#[derive(Clone, Hash)]
pub(super) struct Work {
    kind: Type,
    payload: Vec<u8>,
    /// The run that it is for, if that was known when it came.
    begin: Option<u8>,
}

/// What a peer needs to know to judge.
pub(super) struct Rules<'a> {
    /// What the code may ask, in its order; more than one if it is not deterministic.
    pub(super) scripts: &'a [&'a [Type]],
    /// How many replicas have to die for a transaction to fail of that alone.
    pub(super) losses: u8,
}

/// What became of what the peer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heard {
    Asked,
    Closing,
    Completed,
    Failed,
    /// It does not want to know any more.
    TooLate,
}

#[derive(Clone, PartialEq, Message)]
struct Iterator {
    #[prost(bool, tag = "2")]
    has_more: bool,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Closing {
    #[prost(string, tag = "1")]
    id: String,
}

impl AtPeer {
    /// It is begun.
    pub(super) fn begin(&mut self, tx: Tx, may_fail: bool) -> Frame {
        self.begun += 1;
        self.was_given_up = false;
        self.context = Some(Context {
            begin: self.begun,
            asks: vec![],
            answers: vec![],
            open: BTreeSet::new(),
            opened: BTreeSet::new(),
            is_closing: false,
            losses: 0,
            may_fail,
            strays: 0,
        });
        message(Type::Transaction, tx.txid(), &[self.begun])
    }

    /// It has taken too long, which nobody is told.
    pub(super) fn give_up(&mut self) {
        self.context = None;
        self.was_given_up = true;
    }

    /// What it was at is done, or has failed.
    pub(super) fn answer(&mut self, tx: Tx, is_well: bool) -> Frame {
        let work = self.busy.take().expect("something to answer");
        let echo = work.payload.clone();
        let context = self.context.as_mut().filter(|context| Some(context.begin) == work.begin);
        let mut payload = Vec::new();
        if let Some(context) = context {
            payload = context.simulate(&work, is_well);
            if !context.is_closing && !echo.ends_with(STRAY) {
                context.answers.push([&payload[..], &echo].concat());
            }
        }
        let kind = if is_well { Type::Response } else { Type::Error };
        message(kind, tx.txid(), &[payload, echo].concat())
    }

    /// A message of the chaincode; an error, if none may say that.
    pub(super) fn hear(&mut self, frame: &Frame, rules: &Rules) -> Result<Heard, String> {
        if matches!(frame.kind(), Some(Type::Completed | Type::Error)) {
            return self.hear_end(frame, rules);
        }
        if self.busy.is_some() {
            return Err("a second request while one is outstanding".into());
        }
        let mut work =
            Work { kind: frame.kind().unwrap(), payload: frame.payload().to_vec(), begin: None };
        let heard = match &mut self.context {
            Some(context) => {
                work.begin = Some(context.begin);
                context.hear(&work, rules)?
            }
            None if self.was_given_up => Heard::TooLate,
            None => return Err("a request of a transaction that has ended".into()),
        };
        self.busy = Some(work);
        Ok(heard)
    }

    fn hear_end(&mut self, frame: &Frame, rules: &Rules) -> Result<Heard, String> {
        let Some(context) = self.context.take() else {
            return if std::mem::take(&mut self.was_given_up) {
                Ok(Heard::TooLate)
            } else {
                Err("a second end".into())
            };
        };
        // One of an earlier run has nothing to do with this one's simulation.
        if self.busy.as_ref().is_some_and(|work| work.begin == Some(context.begin)) {
            return Err("an end while a request is outstanding".into());
        }
        if !context.open.is_empty() {
            return Err("an end while an iterator is open".into());
        }
        if frame.kind() == Some(Type::Error) {
            let text = String::from_utf8_lossy(frame.payload());
            return if context.may_fail || context.losses >= rules.losses {
                Ok(Heard::Failed)
            } else {
                Err(format!("an ERROR without need: {text}"))
            };
        }
        let expected = Outcome { begin: context.begin.into(), answers: context.answers };
        match Outcome::decode(frame.payload()) {
            Ok(outcome) if outcome == expected => Ok(Heard::Completed),
            outcome => Err(format!("a foreign end: {outcome:?} instead of {expected:?}")),
        }
    }
}

impl Context {
    fn hear(&mut self, work: &Work, rules: &Rules) -> Result<Heard, String> {
        if let Ok(Closing { id }) = Closing::decode(&work.payload[..])
            // Of one that the peer has closed by itself it says that there is no such thing.
            && self.opened.contains(&id)
        {
            self.is_closing = true;
            return Ok(Heard::Closing);
        }
        if self.is_closing {
            return Err("a request of a transaction that is being ended".into());
        }
        if work.payload == STRAY {
            self.strays = self.strays.checked_sub(1).ok_or("a foreign request")?;
            return Ok(Heard::Asked);
        }
        if work.payload != [self.begin, u8::try_from(self.asks.len()).unwrap()] {
            return Err(format!("a foreign request, or one a second time: {:?}", work.payload));
        }
        self.asks.push(work.kind);
        let is_in_one = rules.scripts.iter().any(|script| script.starts_with(&self.asks));
        is_in_one.then_some(Heard::Asked).ok_or_else(|| format!("a mixture: {:?}", self.asks))
    }

    /// Does what was asked; the answer without its echo.
    fn simulate(&mut self, work: &Work, is_well: bool) -> Vec<u8> {
        let is_query = matches!(work.kind, Type::GetStateByRange | Type::QueryStateNext);
        if work.kind == Type::QueryStateClose {
            let Closing { id } = Closing::decode(&work.payload[..]).unwrap();
            self.open.remove(&id);
            return Iterator { has_more: false, id }.encode_to_vec();
        }
        if !is_query {
            return b"value ".to_vec();
        }
        let opened = format!("{}", self.asks.len());
        let has_more = is_well && work.kind == Type::GetStateByRange;
        let id = if has_more { opened } else { self.open.first().cloned().unwrap_or_default() };
        if has_more {
            self.open.insert(id.clone());
            self.opened.insert(id.clone());
        } else {
            self.open.remove(&id);
        }
        // What follows is a field of the message, too: its results.
        let results = [1 << 3 | 2, u8::try_from(work.payload.len()).unwrap()];
        [Iterator { has_more, id }.encode_to_vec(), results.to_vec()].concat()
    }
}
