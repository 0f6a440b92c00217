//! A peer at work on many transactions at once, which says what it is told against what a peer
//! must be told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message;
use selvedge_proxy::{Frame, Type};
use tokio::time::sleep;

use super::faulty::{Deeds, request};
use super::message;
use super::peer::PeerStream;

/// For how long nothing happens before the peer gives up what it knows to be spoilt.
const PATIENCE: Duration = Duration::from_millis(300);

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Completed,
    Failed(String),
    GivenUp,
}

/// The transactions of a test, and what became of them.
pub(crate) struct Simulation {
    stream: PeerStream,
    deeds: Deeds,
    running: BTreeMap<String, Context>,
    pub(crate) fates: BTreeMap<String, Fate>,
    /// How often others have their turn before it answers.
    turns: u8,
    answered: usize,
}

#[derive(Default)]
struct Context {
    requests: usize,
    answers: Vec<Vec<u8>>,
    open: BTreeSet<String>,
    busy: Option<Frame>,
}

/// `QueryResponse` and `QueryStateClose` of `peer/chaincode_shim.proto`.
#[derive(Clone, PartialEq, Message)]
struct QueryState {
    #[prost(bool, tag = "2")]
    has_more: bool,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct QueryStateClose {
    #[prost(string, tag = "1")]
    id: String,
}

impl Simulation {
    pub(crate) fn new(stream: PeerStream, turns: u8, deeds: Deeds) -> Self {
        let (running, fates) = (BTreeMap::new(), BTreeMap::new());
        Self { stream, deeds, running, fates, turns, answered: 0 }
    }

    /// Begins a transaction that asks for so much.
    pub(crate) async fn begin(&mut self, txid: &str, requests: u8) {
        let context = Context { requests: requests.into(), ..Context::default() };
        self.running.insert(txid.to_owned(), context);
        self.stream.begin_with(message::of(Type::Transaction, txid, &[requests])).await;
    }

    /// Hears and says what there is until all have ended.
    pub(crate) async fn finish(&mut self) {
        while !self.running.is_empty() {
            self.go_on().await;
        }
    }

    /// Hears or says something.
    async fn go_on(&mut self) {
        let (turns, is_busy) =
            (self.turns, self.running.values().any(|context| context.busy.is_some()));
        let others = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            frame = self.stream.next() => self.hear(&frame).await,
            () = others, if is_busy => self.answer().await,
            () = sleep(PATIENCE), if !is_busy => self.give_up(),
        }
    }

    /// Chaincode that was not heard of for long, and is known to have said nothing, says nothing.
    fn give_up(&mut self) {
        let deeds = self.deeds.clone();
        for (txid, _) in self.running.extract_if(.., |txid, _| deeds.have_spoilt(txid)) {
            self.fates.insert(txid, Fate::GivenUp);
        }
    }

    async fn hear(&mut self, frame: &Frame) {
        let (txid, kind) = (frame.transaction().txid(), frame.kind().unwrap());
        if matches!(kind, Type::Completed | Type::Error) {
            return self.hear_end(&txid, kind, frame);
        }
        let Some(context) = self.running.get_mut(&txid) else {
            assert_eq!(self.fates.get(&txid), Some(&Fate::GivenUp), "{kind:?} for {txid}");
            return self.stream.say(message::of(Type::Error, &txid, b"no ledger context")).await;
        };
        assert!(context.busy.is_none(), "{kind:?} while {txid} has a request outstanding");
        let is_closing = kind == Type::QueryStateClose;
        if !is_closing && !self.deeds.have_spoilt(&txid) {
            let expected = request(&txid, context.answers.len());
            assert_eq!(frame.bytes(), expected.bytes(), "out of order, or a second time");
        }
        context.busy = Some(frame.clone());
    }

    fn hear_end(&mut self, txid: &str, kind: Type, frame: &Frame) {
        let payload = message::payload(frame);
        let Some(context) = self.running.remove(txid) else {
            assert_eq!(self.fates.get(txid), Some(&Fate::GivenUp), "a second end of {txid}");
            return;
        };
        assert!(context.busy.is_none(), "{txid} ends while a request is outstanding");
        assert!(context.open.is_empty(), "{txid} ends while an iterator is open");
        let is_spoilt = self.deeds.have_spoilt(txid);
        let fate = if kind == Type::Completed {
            let is_whole = context.answers.len() == context.requests;
            let is_right = is_whole && payload == context.answers.concat();
            assert!(is_right || is_spoilt, "{txid} ends with what did not happen");
            Fate::Completed
        } else {
            let text = String::from_utf8_lossy(&payload).into_owned();
            assert!(is_spoilt || self.deeds.may_fail_any(), "{txid} fails without need: {text}");
            Fate::Failed(text)
        };
        self.fates.insert(txid.to_owned(), fate);
    }

    /// Answers one of the requests, which one differs.
    async fn answer(&mut self) {
        self.answered += 1;
        let busy = self.running.iter_mut().filter(|(_, context)| context.busy.is_some());
        let mut busy: Vec<_> = busy.collect();
        let which = self.answered % busy.len();
        let (txid, context) = &mut busy[which];
        let frame = context.busy.take().expect("it is busy");
        let asked = message::payload(&frame);
        let answer = match frame.kind() {
            Some(Type::QueryStateClose) => {
                let id = QueryStateClose::decode(&asked[..]).unwrap().id;
                assert!(context.open.remove(&id), "{id} of {txid} is not open");
                QueryState { has_more: false, id }.encode_to_vec()
            }
            Some(Type::GetStateByRange) => {
                let id = String::from_utf8(asked).unwrap();
                context.open.insert(id.clone());
                QueryState { has_more: true, id }.encode_to_vec()
            }
            _ => [b"answer to ", &asked[..]].concat(),
        };
        if frame.kind() != Some(Type::QueryStateClose) {
            context.answers.push(answer.clone());
        }
        let answer = message::of(Type::Response, txid, &answer);
        self.stream.say(answer).await;
    }
}
