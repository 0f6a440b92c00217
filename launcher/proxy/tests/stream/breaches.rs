//! Replicas that break the protocol: each is cut off, and nobody else notices.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use selvedge_proto::fabric::{ChaincodeMessage, SignedProposal};
use selvedge_proxy::{Event, Frame, Limits, Type};
use tonic::Status;

use crate::fake::message::{self, UNKNOWN_FIELD};
use crate::fake::replica::Replica;
use crate::fake::scene::{Scene, Stage};
use crate::fake::{PACKAGE, once, soon};

/// Two replicas with a transaction each, of which the first goes bad.
struct Incident {
    scene: Scene,
    bad: Replica,
    good: Replica,
}

impl Incident {
    async fn new(limits: Limits) -> Self {
        let (mut scene, mut bad) = Scene::new(limits).await;
        let mut good = scene.replica().await;
        scene.peer.begin("bad's").await;
        bad.expect(Type::Transaction, "bad's").await;
        scene.peer.begin("good's").await;
        good.expect(Type::Transaction, "good's").await;
        Self { scene, bad, good }
    }

    /// Checks what everybody sees: the operator the reason, the peer an error for
    /// the bad replica's transaction and nothing else, the good replica nothing.
    async fn contained(mut self, what: &str, reason: &str) {
        let told = self.scene.stage.lost(0).await;
        assert!(told.contains(reason), "{what}: {told}");
        let text = self.scene.peer.error("bad's").await;
        assert!(text.contains(reason), "{what}: {text}");
        let _ = self.bad.end().await;
        self.scene.finish(&mut self.good, "good's").await;
        self.scene.serve(&mut self.good, "next").await;
    }
}

/// One replica says `bytes` amidst its transaction.
async fn breach(what: &str, bytes: Bytes, reason: &str) {
    let limits = Limits { message: 1 << 20, ..once() };
    let mut incident = Incident::new(limits).await;
    incident.bad.say_raw(bytes).await;
    incident.contained(what, reason).await;
}

fn of_bad(kind: i32) -> Bytes {
    let message = ChaincodeMessage { r#type: kind, txid: "bad's".into(), ..Default::default() };
    message::grpc(&message.encode_to_vec())
}

/// A COMPLETED for the bad replica's transaction with more bytes behind it.
fn completed_and(more: &[u8]) -> Bytes {
    let whole = message::of(Type::Completed, "bad's", b"");
    message::grpc(&[whole.bytes(), more].concat())
}

#[tokio::test]
async fn types_that_a_chaincode_must_not_send() {
    for (kind, name) in [
        (0, "UNDEFINED"),
        (1, "REGISTER"),
        (2, "REGISTERED"),
        (3, "INIT"),
        (4, "READY"),
        (5, "TRANSACTION"),
        (12, "12"),
        (13, "RESPONSE"),
        (26, "26"),
        (-1, "-1"),
    ] {
        let reason = format!("it sent a message of type {name}, which a chaincode must not send");
        breach(name, of_bad(kind), &reason).await;
    }
}

#[tokio::test]
async fn a_second_registration() {
    let again = message::grpc(Frame::register(PACKAGE).bytes());
    breach("REGISTER twice", again, "type REGISTER").await;
}

#[tokio::test]
async fn words_for_transactions_that_it_does_not_have_reach_nobody() {
    let Incident { mut scene, mut bad, mut good } = Incident::new(once()).await;
    let long = "x".repeat(1 << 19);
    for txid in ["made up", "good's", "", &long] {
        for kind in [Type::Completed, Type::Error, Type::GetState, Type::PutState] {
            bad.tell(kind, txid).await;
        }
        for _ in [Type::GetState, Type::PutState] {
            let answer = bad.expect(Type::Error, txid).await;
            let text = String::from_utf8(message::payload(&answer)).unwrap();
            assert!(text.starts_with("no ledger context"), "{text}");
        }
    }
    bad.say(&message::on("another", Type::Completed, "bad's", b"")).await;
    // Neither the peer nor the other replica hears of it, and both go on.
    scene.finish(&mut good, "good's").await;
    scene.finish(&mut bad, "bad's").await;
}

#[tokio::test]
async fn a_word_long_after_the_end_costs_nobody_anything() {
    let (mut scene, mut replica) = Scene::new(once()).await;
    scene.serve(&mut replica, "early").await;
    scene.peer.begin("long").await;
    replica.expect(Type::Transaction, "long").await;
    for number in 0..100 {
        scene.serve(&mut replica, &format!("tx{number}")).await;
    }
    replica.tell(Type::Completed, "early").await;
    replica.tell(Type::GetState, "early").await;
    replica.expect(Type::Error, "early").await;
    scene.finish(&mut replica, "long").await;
}

#[tokio::test]
async fn messages_that_the_peer_could_not_decode() {
    let no_message = "not a chaincode message";
    for (what, more) in [
        ("cut short", &[0x1a, 0x05, 0x01][..]),
        ("endless varint", &[0xff; 11]),
        ("field number 0", &[0x02, 0x00]),
        ("open group", &[0x4b]),
        ("end of no group", &[0x4c]),
        ("txid not UTF-8", &[0x22, 0x02, 0xc3, 0x28]),
        ("event cut short", &[0x32, 0x02, 0x0a, 0x05]),
        ("event name not UTF-8", &[0x32, 0x03, 0x1a, 0x01, 0xff]),
        ("proposal cut short", &[0x2a, 0x02, 0x0a, 0x05]),
        ("timestamp cut short", &[0x12, 0x01, 0x08]),
    ] {
        breach(what, completed_and(more), no_message).await;
    }
    breach("no protobuf", message::grpc(b"GET / HTTP/1.1"), no_message).await;
}

#[tokio::test]
async fn what_the_peer_can_decode_is_no_breach() {
    let (mut scene, mut replica) = Scene::new(once()).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    let proposal = SignedProposal { proposal_bytes: b"p".to_vec(), ..Default::default() };
    let mut bytes = message::of(Type::Completed, "tx", b"").bytes().to_vec();
    bytes.extend([0x2a, 0x03]);
    bytes.extend(proposal.encode_to_vec());
    bytes.extend([0x4b, 0x08, 0x01, 0x4c]); // an unknown group
    bytes.extend(UNKNOWN_FIELD);
    replica.say_raw(message::grpc(&bytes)).await;
    assert_eq!(scene.peer.expect(Type::Completed, "tx").await.bytes(), &bytes);
}

#[tokio::test]
async fn half_a_frame_and_then_the_end() {
    let whole = message::grpc(message::of(Type::Completed, "bad's", b"content").bytes());
    for length in [3, 5, whole.len() - 1] {
        let mut incident = Incident::new(once()).await;
        incident.bad.say_raw(whole.slice(..length)).await;
        incident.bad.close();
        incident.contained("half a frame", "Unexpected EOF").await;
    }
}

#[tokio::test]
async fn half_a_frame_and_then_nothing_holds_up_nobody() {
    let mut incident = Incident::new(once()).await;
    incident.bad.say_raw(message::grpc(b"content").slice(..6)).await;
    incident.scene.finish(&mut incident.good, "good's").await;
    incident.bad.kill();
    incident.scene.peer.error("bad's").await;
    incident.scene.serve(&mut incident.good, "next").await;
}

#[tokio::test]
async fn messages_over_the_limit() {
    let long = message::of(Type::Completed, "bad's", &vec![0; 1 << 20]);
    breach("too long", message::grpc(long.bytes()), "too large").await;
    let announced = [&[0][..], &u32::MAX.to_be_bytes(), b"and a little"].concat();
    breach("announced 4 GiB", announced.into(), "too large").await;
}

#[tokio::test]
async fn what_is_no_message_is_a_breach_and_not_a_death() {
    let mut incident = Incident::new(once()).await;
    incident.bad.say_raw(message::grpc(b"GET / HTTP/1.1")).await;
    let stage = &mut incident.scene.stage;
    let cut_off = |event| matches!(event, Event::ReplicaCutOff { replica: 0, .. }).then_some(());
    stage.event("the breach", cut_off).await;
    let status = incident.bad.end().await.unwrap_err();
    assert!(status.message().contains("not a chaincode message"), "{status}");
    incident.scene.peer.error("bad's").await;
}

#[tokio::test]
async fn a_compressed_message_that_nobody_agreed_to() {
    let mut bytes = completed_and(b"").to_vec();
    bytes[0] = 1;
    breach("compressed", bytes.into(), "compress").await;
}

#[tokio::test]
async fn first_messages_that_are_no_registration_of_this_package() {
    let (mut scene, mut good) = Scene::new(once()).await;
    let cases = [
        (Frame::register("another_1.0:cd34").bytes().clone(), "another_1.0:cd34"),
        (Frame::register("").bytes().clone(), "it registered as \"\""),
        (Frame::keepalive().bytes().clone(), "its first message was not REGISTER"),
        (message::of(Type::GetState, "tx", b"").bytes().clone(), "was not REGISTER"),
        (Bytes::from_static(b"nothing like it"), "not a chaincode message"),
        (message::of(Type::Register, "", &[0x0a, 0x05]).bytes().clone(), "cannot be decoded"),
    ];
    for (number, (first, reason)) in (1..).zip(cases) {
        let mut bad = scene.stage.silent_replica().await;
        bad.say_raw(message::grpc(&first)).await;
        let status = bad.end().await.unwrap_err();
        assert!(status.message().contains(reason), "{status}");
        let told = scene.stage.lost(number).await;
        assert!(told.contains(reason), "{told}");
        scene.serve(&mut good, reason).await;
    }
}

#[tokio::test]
async fn a_replica_that_never_registers() {
    let limits = Limits { first_message: Duration::from_millis(200), ..once() };
    let (mut scene, mut good) = Scene::new(limits).await;
    let mut bad = scene.stage.silent_replica().await;
    let status = bad.end().await.unwrap_err();
    assert_eq!(status.message(), "it sent nothing for 0.2 s");
    assert_eq!(scene.stage.lost(1).await, "it did not register: it sent nothing for 0.2 s");
    let mut short = scene.stage.silent_replica().await;
    short.close();
    assert_eq!(scene.stage.lost(2).await, "it did not register: it closed its stream");
    scene.serve(&mut good, "tx").await;
}

#[tokio::test]
async fn more_replicas_than_may() {
    let (mut scene, mut good) = Scene::new(Limits { replicas: 1, ..once() }).await;
    let mut second = scene.stage.registering_replica().await;
    let status = second.end().await.unwrap_err();
    assert_eq!(status.message(), "it is one replica too many, the limit is 1");
    scene.stage.lost(1).await;
    scene.serve(&mut good, "tx").await;
    drop(good);
    scene.stage.lost(0).await;
    let mut third = scene.replica().await;
    scene.serve(&mut third, "next").await;
}

#[tokio::test]
async fn a_replica_that_never_reads() {
    let limits = Limits { replica_bytes: 8 << 20, ..once() };
    let (mut scene, mut bad) = Scene::new(limits).await;
    let mut begun = 0;
    let reason = loop {
        let txid = format!("tx{begun}");
        scene.peer.begin_with(message::of(Type::Transaction, &txid, &vec![7; 1 << 20])).await;
        begun += 1;
        let event = tokio::select! {
            biased;
            notice = scene.stage.proxy.next_event() => notice.unwrap().event,
            () = tokio::task::yield_now() => continue,
        };
        if let Event::ReplicaCutOff { replica: 0, reason, .. } = event {
            break reason;
        }
        assert!(begun < 200, "what waits for it has no bound");
    };
    assert_eq!(reason, "it does not read what is sent to it");
    let told = message::payload(&scene.peer.next().await);
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains(&reason), "{told}");
    // Nor is anything kept for it that it may read one day.
    bad.dropped().await;
}

#[tokio::test]
async fn a_replica_that_stops_reading_is_cut_off_after_a_while() {
    let limits = Limits { standstill: Duration::from_millis(300), ..once() };
    let (mut scene, bad) = Scene::new(limits).await;
    for txid in ["one", "another"] {
        let begin = message::of(Type::Transaction, txid, &vec![7; 4 << 20]);
        scene.peer.begin_with(begin).await;
    }
    assert_eq!(scene.stage.lost(0).await, "it does not read what is sent to it");
    drop(bad);
    let mut next = scene.replica().await;
    for _ in 0..2 {
        assert_eq!(scene.peer.next().await.kind(), Some(Type::Error));
    }
    scene.serve(&mut next, "next").await;
}

#[tokio::test]
async fn a_long_message_that_is_never_ended_costs_its_replica() {
    let limits = Limits { standstill: Duration::from_millis(300), ..once() };
    let mut incident = Incident::new(limits).await;
    let whole = message::grpc(message::of(Type::Completed, "bad's", &vec![7; 1 << 20]).bytes());
    incident.bad.say_raw(whole.slice(..whole.len() / 2)).await;
    incident.contained("half a message", "a part of a message and then nothing more").await;
}

#[tokio::test]
async fn long_messages_wait_for_the_memory_that_others_take() {
    let limits = Limits { unfinished: 3 << 20, ..once() };
    let Incident { mut scene, mut bad, mut good } = Incident::new(limits).await;
    let of = |txid| message::grpc(message::of(Type::Completed, txid, &vec![7; 2 << 20]).bytes());
    let (slow, quick) = (of("bad's"), of("good's"));
    let half = slow.len() / 2;
    bad.say_raw(slow.slice(..half)).await;
    // Both take turns, and neither is lost.
    let sending = async {
        good.say_raw(quick).await;
        bad.say_raw(slow.slice(half..)).await;
    };
    let receiving = async { (scene.peer.next().await, scene.peer.next().await) };
    let ((), (one, other)) = tokio::join!(sending, receiving);
    let mut ended = [one.transaction().txid(), other.transaction().txid()];
    ended.sort();
    assert_eq!(ended, ["bad's", "good's"]);
    scene.serve(&mut bad, "next").await;
}

#[tokio::test]
async fn a_first_message_is_short() {
    let (mut scene, mut good) = Scene::new(once()).await;
    let mut bad = scene.stage.silent_replica().await;
    bad.say(&Frame::register(&"x".repeat(8 << 10))).await;
    let told = scene.stage.lost(1).await;
    assert!(told.contains("too large: ") && told.contains("the limit is 4096"), "{told}");
    scene.serve(&mut good, "tx").await;
}

#[tokio::test]
async fn a_breach_amidst_a_message_that_is_not_read() {
    let mut incident = Incident::new(once()).await;
    incident.bad.tell(Type::GetState, "bad's").await;
    incident.scene.peer.expect(Type::GetState, "bad's").await;
    let long = message::of(Type::Response, "bad's", &vec![7; 32 << 20]);
    incident.scene.peer.say(long).await;
    incident.scene.finish(&mut incident.good, "good's").await;
    incident.bad.say_raw(of_bad(1)).await;
    incident.scene.stage.lost(0).await;
    incident.scene.peer.error("bad's").await;
    incident.bad.kill();
    // To take a new connection is to have heard of the end of that one.
    let mut next = incident.scene.replica().await;
    incident.scene.serve(&mut next, "next").await;
}

#[tokio::test]
async fn requests_without_waiting_for_answers_cost_their_transaction() {
    let mut incident = Incident::new(once()).await;
    let Incident { scene, bad, good } = &mut incident;
    for _ in 0..2000 {
        bad.tell(Type::GetState, "bad's").await;
    }
    scene.peer.expect(Type::GetState, "bad's").await;
    scene.finish(good, "good's").await;
    scene.peer.say(message::of(Type::Response, "bad's", b"value")).await;
    let text = scene.peer.error("bad's").await;
    assert!(text.contains("while the peer was answering another request"), "{text}");
    // Each of its requests has an answer.
    for _ in 1..2000 {
        bad.expect(Type::Error, "bad's").await;
    }
    bad.expect(Type::Response, "bad's").await;
    scene.serve(bad, "next").await;
}

#[tokio::test]
async fn a_long_reason_for_its_end() {
    let mut incident = Incident::new(once()).await;
    incident.bad.close_with(&Status::unknown("x".repeat(10_000))).await;
    // The peer would be told this once per transaction in flight.
    incident.contained("long reason", "xxx…").await;
}

#[tokio::test]
async fn connections_without_a_stream_are_closed() {
    let limits = Limits { first_message: Duration::from_millis(200), ..once() };
    let (mut scene, mut good) = Scene::new(limits).await;
    let mut idle = scene.stage.connection();
    while let Some(head) = idle.frame() {
        assert_ne!(head[3], 6, "it was asked by PING whether it is there");
    }
    scene.serve(&mut good, "tx").await;
}

#[tokio::test]
async fn connections_are_no_more_than_may_be() {
    const MOST: usize = 2 + 64;
    let first_message = Duration::from_mins(1);
    let limits = Limits { replicas: 1, first_message, ..once() };
    let (mut scene, mut good) = Scene::new(limits).await;
    let mut idle: Vec<_> = (1..MOST).map(|_| scene.stage.connection()).collect();
    let waiting = std::thread::spawn(scene.stage.connecting());
    // Long enough for a connection to be taken up.
    for number in 0..20 {
        scene.serve(&mut good, &format!("tx{number}")).await;
    }
    assert!(!waiting.is_finished());
    idle.pop();
    let answered = tokio::task::spawn_blocking(move || waiting.join().unwrap());
    soon("a place for the connection that waited", answered).await.unwrap();
}

#[tokio::test]
async fn strangers_that_connect_and_say_nothing_keep_nobody_out() {
    let stage = Stage::new(once()).await;
    let address = stage.proxy.address();
    // More than may be at their handshake; the latest of them have what is left of their time.
    let mut silent: Vec<_> = (0..128).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (mut scene, mut good) = Scene::linked(stage).await;
    let latest = silent.pop().unwrap();
    latest.set_nonblocking(true).unwrap();
    assert_eq!((&latest).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    scene.serve(&mut good, "tx").await;
}

#[tokio::test]
async fn noise_on_some_connections_holds_up_no_other() {
    let stage = Stage::new(once()).await;
    let _floods: Vec<_> = (0..3).map(|_| stage.connection().flood()).collect();
    let (mut scene, mut good) = Scene::linked(stage).await;
    for number in 0..3 {
        scene.serve(&mut good, &format!("tx{number}")).await;
    }
}
