//! The routing, tried without a network.

use std::net::{IpAddr, Ipv4Addr};
use std::task::Waker;
use std::time::Duration;

use prost::Message;
use selvedge_proto::fabric::{ChaincodeAdditionalParams, ChaincodeMessage};
use tokio::time::advance;

use super::*;
use crate::frame::Type;
use crate::identity::{Origin, ReplicaPlace};
use crate::violation::quote;

#[path = "switch_tests/batches.rs"]
mod batches;
#[path = "switch_tests/bounds.rs"]
mod bounds;
#[path = "switch_tests/counted.rs"]
mod counted;
#[path = "switch_tests/model.rs"]
mod model;
#[path = "switch_tests/on_demand.rs"]
mod on_demand;
#[path = "switch_tests/outstanding.rs"]
mod outstanding;
#[path = "switch_tests/release.rs"]
mod release;
#[path = "switch_tests/replay.rs"]
mod replay;
#[path = "switch_tests/retirement.rs"]
mod retirement;
#[path = "switch_tests/silence.rs"]
mod silence;

/// Where all replicas come from.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const PACKAGE: &str = "basic_1.0:ab12";

/// What replicas show where it is of no matter.
fn usual() -> Credential {
    Credential::of(b"the usual certificate")
}

/// With these no transaction is run again.
fn once() -> Limits {
    Limits { replay: false, ..Limits::default() }
}

/// A switch whose peer is the test.
struct Bench {
    switch: Switch,
    connected: ReplicaId,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Self { switch: Switch::new(PACKAGE.into(), limits, Figures::default()), connected: 0 }
    }

    /// One that the peer has taken as ready, without a replica left.
    fn ready(limits: Limits) -> Self {
        let mut bench = Self::new(limits);
        let first = bench.replica();
        bench.switch.peer_is_ready(ready());
        bench.switch.replica_gone(first, "it has done its part");
        bench.events();
        bench
    }

    fn replica(&mut self) -> ReplicaId {
        self.replica_saying(&Frame::register(PACKAGE))
    }

    fn replica_saying(&mut self, first: &Frame) -> ReplicaId {
        self.replica_showing(usual(), first)
    }

    fn replica_showing(&mut self, credential: Credential, first: &Frame) -> ReplicaId {
        self.replica_at(Place { origin: HERE.into(), credential }, first)
    }

    fn replica_at(&mut self, place: Place, first: &Frame) -> ReplicaId {
        let id = self.connected;
        self.connected += 1;
        self.switch.replica_registers(id, link(place), first);
        id
    }

    /// A replica that has read its greeting.
    fn greeted(&mut self) -> ReplicaId {
        let id = self.replica();
        assert_eq!(self.kinds(id), [Type::Registered, Type::Ready]);
        id
    }

    /// One that has read its greeting, and was given what waited.
    fn greeted_and_given(&mut self) -> ReplicaId {
        let id = self.replica();
        assert_eq!(self.kinds(id), [Type::Registered, Type::Ready, Type::Transaction]);
        id
    }

    /// What was said to a replica, which is not cut off.
    fn frames(&mut self, id: ReplicaId) -> Vec<Frame> {
        let next = || match self.switch.take_for_replica(id)? {
            ForReplica::Message(frame) => Some(frame),
            ForReplica::End(status) => panic!("{id} was told: {status}"),
        };
        std::iter::from_fn(next).collect()
    }

    fn kinds(&mut self, id: ReplicaId) -> Vec<Type> {
        self.frames(id).iter().map(|frame| frame.kind().unwrap()).collect()
    }

    fn txids(&mut self, id: ReplicaId) -> Vec<String> {
        self.frames(id).iter().map(|frame| frame.transaction().txid()).collect()
    }

    /// The last word to a replica that was cut off.
    fn farewell(&mut self, id: ReplicaId) -> String {
        match self.switch.take_for_replica(id) {
            Some(ForReplica::End(status)) => status.message().to_owned(),
            _ => panic!("{id} was not cut off"),
        }
    }

    /// Whether its stream is to end well, with nothing more to be said.
    fn is_let_go(&mut self, id: ReplicaId) -> bool {
        let next = self.switch.take_for_replica(id);
        matches!(next, Some(ForReplica::End(status)) if status.code() == tonic::Code::Ok)
    }

    fn is_cut(&self, id: ReplicaId) -> bool {
        !self.switch.has_replica(id)
    }

    fn says(&mut self, id: ReplicaId, kind: Type, txid: &str) {
        self.switch.replica_says(id, frame(kind, "ch", txid));
    }

    fn answers(&mut self, txid: &str) {
        self.switch.peer_says(frame(Type::Response, "ch", txid));
    }

    fn begin(&mut self, txid: &str) {
        self.switch.peer_says(frame(Type::Transaction, "ch", txid));
    }

    /// What was said to the peer: type, transaction and text.
    fn said_to_peer(&mut self) -> Vec<(Type, String, String)> {
        std::iter::from_fn(|| self.switch.take_for_peer())
            .map(|frame| {
                let message = frame.decode().unwrap();
                let text = String::from_utf8(message.payload).unwrap();
                (frame.kind().unwrap(), message.txid, text)
            })
            .collect()
    }

    /// The transactions that were answered with an error, in the order of their IDs.
    fn failed(&mut self) -> Vec<String> {
        let said = self.said_to_peer();
        assert!(said.iter().all(|(kind, ..)| *kind == Type::Error), "{said:?}");
        let mut failed: Vec<_> = said.into_iter().map(|(_, txid, _)| txid).collect();
        failed.sort();
        failed
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.switch.take_event()).collect()
    }
}

/// One that is there.
fn link(place: Place) -> ReplicaLink {
    ReplicaLink { place, seat: ReplicaPlace::default(), waker: Waker::noop().clone() }
}

/// What is told of one that is ready.
fn came(replica: ReplicaId, credential: Credential) -> Event {
    Event::ReplicaReady { replica, credential, place: ReplicaPlace::default() }
}

fn frame(kind: Type, channel: &str, txid: &str) -> Frame {
    let message = ChaincodeMessage {
        r#type: kind.into(),
        channel_id: channel.into(),
        txid: txid.into(),
        ..Default::default()
    };
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

fn ready() -> Frame {
    let message = ChaincodeMessage {
        r#type: Type::Ready.into(),
        payload: b"the batch parameters".to_vec(),
        ..Default::default()
    };
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

/// A READY that offers one of the requests that not every peer takes.
fn offering(kind: Type) -> Frame {
    let offered = ChaincodeAdditionalParams {
        use_write_batch: kind == Type::WriteBatchState,
        use_get_multiple_keys: kind == Type::GetStateMultiple,
        ..Default::default()
    };
    let mut message = ready().decode().unwrap();
    message.payload = offered.encode_to_vec();
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

#[test]
fn the_peer_is_asked_once_when_the_first_replica_is_there() {
    let mut bench = Bench::new(Limits::default());
    assert!(!bench.switch.start_registration());
    bench.replica();
    assert!(bench.switch.start_registration());
    bench.replica();
    assert!(!bench.switch.start_registration());
    assert!(bench.said_to_peer().is_empty());
}

#[test]
fn every_replica_gets_the_peers_own_ready() {
    let mut bench = Bench::new(Limits::default());
    let early = bench.replica();
    assert!(bench.frames(early).is_empty(), "greeted before the peer was ready");
    bench.switch.peer_is_ready(ready());
    let late = bench.replica();
    for remote in [early, late] {
        let frames = bench.frames(remote);
        assert_eq!(frames[0].kind(), Some(Type::Registered));
        assert_eq!(frames[1].bytes(), ready().bytes());
    }
    let ready = |replica| came(replica, usual());
    assert_eq!(bench.events(), [ready(0), Event::Ready, ready(1)]);
}

#[test]
fn a_transaction_goes_to_the_replica_with_the_fewest_in_flight() {
    let mut bench = Bench::ready(Limits::default());
    let (first, second) = (bench.greeted(), bench.greeted());
    for txid in ["a", "b", "c", "d"] {
        bench.begin(txid);
    }
    assert_eq!(
        (bench.txids(first), bench.txids(second)),
        (vec!["a".into(), "c".into()], vec!["b".into(), "d".into()])
    );
    bench.says(second, Type::Completed, "b");
    bench.says(second, Type::Error, "d");
    bench.begin("e");
    bench.begin("f");
    assert_eq!((bench.txids(first), bench.txids(second)), (vec![], vec!["e".into(), "f".into()]));
}

#[test]
fn an_answer_goes_to_the_replica_that_has_the_transaction_of_that_channel() {
    let mut bench = Bench::ready(Limits::default());
    let (first, second) = (bench.greeted(), bench.greeted());
    bench.switch.peer_says(frame(Type::Transaction, "ch1", "same"));
    bench.switch.peer_says(frame(Type::Transaction, "ch2", "same"));
    assert_eq!((bench.frames(first).len(), bench.frames(second).len()), (1, 1));
    bench.switch.replica_says(first, frame(Type::GetState, "ch1", "same"));
    bench.switch.replica_says(second, frame(Type::GetState, "ch2", "same"));
    assert_eq!(bench.said_to_peer().len(), 2);
    bench.switch.peer_says(frame(Type::Response, "ch2", "same"));
    bench.switch.peer_says(frame(Type::Error, "ch1", "same"));
    assert_eq!(
        (bench.kinds(first), bench.kinds(second)),
        (vec![Type::Error], vec![Type::Response])
    );
    // The end on one channel is not the end on the other.
    bench.switch.replica_says(first, frame(Type::Completed, "ch1", "same"));
    bench.switch.replica_says(second, frame(Type::GetState, "ch2", "same"));
    assert_eq!(bench.said_to_peer().len(), 2);
}

#[test]
fn an_answer_for_a_transaction_that_nobody_has_is_dropped() {
    let mut bench = Bench::ready(Limits::default());
    let only = bench.greeted();
    bench.switch.peer_says(frame(Type::Response, "ch", "unknown"));
    assert!(bench.frames(only).is_empty());
    assert!(bench.said_to_peer().is_empty());
}

#[test]
fn what_is_asked_after_the_end_is_answered_and_not_punished() {
    let mut bench = Bench::ready(Limits::default());
    let only = bench.greeted();
    bench.begin("a");
    bench.says(only, Type::Completed, "a");
    bench.frames(only);
    bench.said_to_peer();
    bench.says(only, Type::GetState, "a");
    assert_eq!(bench.kinds(only), [Type::Error]);
    assert!(bench.said_to_peer().is_empty());
    assert!(!bench.is_cut(only));
    assert_eq!(bench.events(), [came(only, usual())]);
}

#[test]
fn exactly_the_transactions_of_a_dead_replica_fail() {
    let mut bench = Bench::ready(once());
    let (first, second) = (bench.greeted(), bench.greeted());
    bench.events();
    for txid in ["a", "b", "c", "d", "e"] {
        bench.begin(txid);
    }
    assert_eq!(bench.txids(second), ["b", "d"]);
    bench.switch.replica_gone(first, "broken pipe");
    let said = bench.said_to_peer();
    assert!(said.iter().all(|(_, _, text)| text.ends_with("broken pipe")), "{said:?}");
    let mut failed: Vec<_> = said.iter().map(|(_, txid, _)| txid.as_str()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["a", "c", "e"]);
    let (credential, reason) = (usual(), "broken pipe".to_owned());
    let fates = Fates { answered: 3, run_again: 0 };
    let gone = Event::ReplicaGone { replica: first, credential, reason, fates };
    assert_eq!(bench.events(), [gone]);
    bench.says(second, Type::Completed, "b");
    bench.switch.peer_says(frame(Type::Response, "ch", "a"));
    assert!(bench.frames(second).is_empty(), "an answer for the dead one went to another");
    assert_eq!(bench.said_to_peer().len(), 1);
}

#[test]
fn transactions_wait_for_a_replica_in_their_order() {
    let mut bench = Bench::ready(Limits::default());
    bench.begin("a");
    bench.begin("b");
    assert!(bench.said_to_peer().is_empty());
    let next = bench.replica();
    assert_eq!(bench.txids(next), ["", "", "a", "b"]);
    assert_eq!(bench.switch.waiting.deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_waits_no_longer_than_it_may() {
    let limits = Limits { replica_wait: Duration::from_secs(20), ..Limits::default() };
    let mut bench = Bench::ready(limits);
    bench.begin("a");
    advance(Duration::from_secs(5)).await;
    bench.begin("b");
    advance(Duration::from_secs(15)).await;
    assert_eq!(bench.switch.next_expiry(), Some(Instant::now()));
    bench.switch.expire(Instant::now());
    let said = bench.said_to_peer();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].1, "a");
    assert!(said[0].2.contains("no replica of the chaincode became ready within 20 s"));
    assert_eq!(bench.switch.next_expiry(), Some(Instant::now() + Duration::from_secs(5)));
}

#[test]
fn no_more_transactions_wait_than_may() {
    let mut bench = Bench::ready(Limits { waiting: 1, ..Limits::default() });
    bench.begin("a");
    bench.begin("b");
    assert_eq!(bench.failed(), ["b"]);
}

#[test]
fn a_replica_can_take_all_that_waited_for_it() {
    let waiting = 4096;
    let mut bench = Bench::ready(Limits { waiting, ..Limits::default() });
    for number in 0..waiting {
        bench.begin(&number.to_string());
    }
    let next = bench.replica();
    assert!(!bench.is_cut(next), "{:?}", bench.events());
    assert_eq!(bench.frames(next).len(), 2 + waiting);
    assert!(bench.said_to_peer().is_empty());
}

#[test]
fn known_trouble_answers_at_once_until_a_replica_registers() {
    let mut bench = Bench::ready(Limits::default());
    bench.begin("a");
    bench.switch.set_trouble(usual(), "ImagePullBackOff".into());
    bench.begin("b");
    let said = bench.said_to_peer();
    assert_eq!(said.len(), 2);
    for (_, _, text) in said {
        assert_eq!(text, "no replica of the chaincode is running: ImagePullBackOff");
    }
    let next = bench.greeted();
    bench.switch.replica_gone(next, "it was restarted");
    bench.begin("c");
    assert!(bench.said_to_peer().is_empty(), "old trouble fails what could wait");
}

#[test]
fn trouble_known_before_the_stream_ends_holds_when_it_has() {
    let mut bench = Bench::ready(Limits::default());
    let dead = bench.greeted();
    bench.switch.set_trouble(usual(), "it ended 3 times in a row".into());
    bench.switch.replica_gone(dead, "it closed its stream");
    bench.begin("a");
    let [(_, _, text)] = &bench.said_to_peer()[..] else { panic!("it waits") };
    assert_eq!(text, "no replica of the chaincode is running: it ended 3 times in a row");
}

#[test]
fn a_chaincode_must_not_send_what_only_the_peer_may() {
    use Type::{Init, Ready, Register, Registered, Response, Transaction, Undefined};
    for kind in [Undefined, Register, Registered, Init, Ready, Transaction, Response] {
        let mut bench = Bench::ready(Limits::default());
        let (bad, good) = (bench.greeted(), bench.greeted());
        bench.events();
        bench.begin("a");
        bench.begin("b");
        bench.switch.replica_says(bad, frame(kind, "ch", "a"));
        assert_eq!(bench.failed(), ["a"], "{kind:?}");
        assert!(bench.is_cut(bad));
        let [Event::ReplicaCutOff { replica, reason, .. }] = &bench.events()[..] else { panic!() };
        assert_eq!(*replica, bad);
        assert!(reason.contains(kind.as_str_name()), "{reason}");
        // Whatever else it sent before it noticed has no effect, nor has its end.
        bench.says(bad, Type::Completed, "a");
        bench.switch.replica_gone(bad, "it closed its stream");
        assert!(bench.said_to_peer().is_empty() && bench.events().is_empty());
        assert_eq!(bench.txids(good), ["b"]);
        bench.says(good, Type::Completed, "b");
        assert_eq!(bench.said_to_peer().len(), 1);
    }
}

#[test]
fn what_a_replica_says_of_others_transactions_goes_nowhere() {
    for txid in ["never seen", "b", ""] {
        for kind in [Type::PutState, Type::Completed, Type::Error] {
            let mut bench = Bench::ready(Limits::default());
            let (one, other) = (bench.greeted(), bench.greeted());
            bench.begin("a");
            bench.begin("b");
            bench.frames(one);
            bench.says(one, kind, txid);
            assert!(bench.said_to_peer().is_empty(), "{kind:?} for {txid:?}");
            assert!(!bench.is_cut(one) && !bench.is_cut(other));
            // Who asked is answered, as a peer would; an end needs no answer.
            let answer = if kind == Type::PutState { vec![Type::Error] } else { vec![] };
            assert_eq!(bench.kinds(one), answer);
            bench.says(other, Type::Completed, "b");
            assert_eq!(bench.said_to_peer().len(), 1);
        }
    }
}

#[test]
fn a_replica_must_register_its_own_package_first() {
    let mut nothing_like_it = frame(Type::Register, "", "").decode().unwrap();
    nothing_like_it.payload = vec![0x0a, 0x05];
    let garbled = Frame::parse(nothing_like_it.encode_to_vec().into()).unwrap();
    let cases = [
        (Frame::register("basic_1.0:cd34"), "basic_1.0:cd34"),
        (Frame::register(""), "its certificate is for"),
        (frame(Type::GetState, "ch", "a"), "not REGISTER"),
        (garbled, "cannot be decoded"),
    ];
    for (first, part) in cases {
        let mut bench = Bench::new(Limits::default());
        let remote = bench.replica_saying(&first);
        assert!(bench.is_cut(remote));
        let told = bench.farewell(remote);
        assert!(told.contains(part), "{told}");
        let [Event::ReplicaCutOff { reason, .. }] = &bench.events()[..] else { panic!() };
        assert!(reason.contains(part), "{reason}");
        assert!(!bench.switch.start_registration());
    }
}

#[test]
fn one_replica_too_many_is_refused() {
    let mut bench = Bench::ready(Limits { replicas: 1, ..Limits::default() });
    let (first, second) = (bench.greeted(), bench.replica());
    assert!(bench.is_cut(second) && !bench.is_cut(first));
    bench.begin("a");
    assert_eq!(bench.txids(first), ["a"]);
}

#[test]
fn a_replica_that_does_not_read_is_cut_off() {
    let mut bench = Bench::ready(Limits { waiting: 0, ..Limits::default() });
    let bad = bench.replica();
    let mut given = 0;
    while !bench.is_cut(bad) {
        bench.begin(&given.to_string());
        given += 1;
        assert!(given <= 4096, "its queue has no bound");
    }
    assert_eq!(bench.failed().len(), given);
    assert!(bench.events().iter().any(|event| matches!(event,
        Event::ReplicaCutOff { reason, .. } if reason == "it does not read what is sent to it")));
}

#[test]
fn only_what_the_peers_ready_offers_may_be_asked() {
    for kind in [Type::WriteBatchState, Type::GetStateMultiple] {
        let mut bench = Bench::ready(Limits::default());
        let bad = bench.greeted();
        bench.begin("a");
        bench.says(bad, kind, "a");
        assert_eq!(bench.failed(), ["a"], "a peer of 2.5 would end the stream");
        assert!(bench.farewell(bad).contains("did not offer"));

        let mut bench = Bench::new(Limits::default());
        let good = bench.replica();
        bench.switch.peer_is_ready(offering(kind));
        bench.begin("a");
        bench.says(good, kind, "a");
        assert_eq!(bench.said_to_peer()[0].0, kind);
    }
}

#[test]
fn what_a_replica_invents_does_not_blow_up_what_the_peer_is_told() {
    let long = "x".repeat(1 << 20);
    let mut bench = Bench::ready(Limits::default());
    let bad = bench.greeted();
    bench.begin("a");
    bench.switch.replica_breaks(bad, &Violation::Garbled(quote(long.clone())));
    bench.replica_saying(&Frame::register(&long));
    assert!(bench.said_to_peer().iter().all(|(_, _, text)| text.len() < 1000));
    for event in bench.events() {
        assert!(format!("{event:?}").len() < 1000);
    }
}

#[test]
fn signs_of_life_are_answered_to_the_peer_and_kept_from_it() {
    let mut bench = Bench::ready(Limits::default());
    let only = bench.greeted();
    bench.switch.peer_says(Frame::keepalive());
    assert_eq!(bench.said_to_peer(), [(Type::Keepalive, String::new(), String::new())]);
    bench.switch.replica_says(only, Frame::keepalive());
    assert!(
        bench.said_to_peer().is_empty() && bench.frames(only).is_empty() && !bench.is_cut(only)
    );
}

#[test]
fn draining_refuses_the_new_and_waits_for_the_old() {
    let mut bench = Bench::ready(Limits::default());
    bench.begin("waits for a replica");
    bench.switch.close("the chaincode is being stopped");
    assert_eq!(bench.failed(), ["waits for a replica"]);

    let mut bench = Bench::ready(Limits::default());
    let only = bench.greeted();
    bench.begin("a");
    bench.begin("b");
    bench.switch.close("the chaincode is being stopped");
    bench.begin("c");
    assert_eq!(bench.failed(), ["c"]);
    bench.says(only, Type::Completed, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
    assert_ne!(bench.switch.in_flight(), 0);
    bench.switch.answer_all("the chaincode is being stopped");
    assert_eq!(bench.failed(), ["b"]);
    assert_eq!(bench.switch.in_flight(), 0);
}
