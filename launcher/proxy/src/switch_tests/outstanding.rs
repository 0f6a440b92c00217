//! Transactions that end, or begin anew, while the peer is at work on a request of theirs.

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

/// One replica with transaction "a", whose request the peer has not answered.
fn asking() -> (Bench, ReplicaId) {
    let mut bench = Bench::ready(Limits { execution: LIMIT, ..once() });
    let replica = bench.greeted();
    bench.begin("a");
    bench.says(replica, Type::GetState, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::GetState);
    bench.frames(replica);
    (bench, replica)
}

#[test]
fn the_error_for_a_dead_replica_waits_for_the_answer_to_its_request() {
    let (mut bench, dead) = asking();
    bench.switch.replica_gone(dead, "broken pipe");
    assert!(bench.said_to_peer().is_empty(), "the peer would close iterators under the request");
    assert_eq!(bench.switch.in_flight(), 1, "a drain waits for it");
    bench.answers("a");
    let [(kind, txid, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!((*kind, txid.as_str()), (Type::Error, "a"));
    assert!(text.ends_with("this transaction (after 1 request): broken pipe"), "{text}");
    assert_eq!(bench.switch.in_flight(), 0);
}

#[test]
fn an_end_waits_for_the_answer_too_and_survives_its_replica() {
    let (mut bench, replica) = asking();
    bench.says(replica, Type::Completed, "a");
    assert!(bench.said_to_peer().is_empty());
    bench.switch.replica_gone(replica, "it closed its stream");
    bench.answers("a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
}

#[test]
fn what_a_thread_left_behind_asked_is_answered_to_it() {
    let (mut bench, replica) = asking();
    bench.says(replica, Type::Completed, "a");
    bench.answers("a");
    assert_eq!(bench.kinds(replica), [Type::Response]);
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
}

#[tokio::test(start_paused = true)]
async fn what_was_held_is_said_when_the_peer_gives_up_at_the_latest() {
    let (mut bench, dead) = asking();
    bench.switch.replica_gone(dead, "broken pipe");
    advance(LIMIT).await;
    assert!(bench.switch.next_expiry().unwrap() <= Instant::now());
    bench.switch.expire(Instant::now());
    assert_eq!(bench.failed(), ["a"]);
    assert_eq!((bench.switch.in_flight(), bench.switch.next_expiry()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_dead_replicas_request_reaches_no_successor() {
    let (mut bench, dead) = asking();
    bench.switch.replica_gone(dead, "broken pipe");
    let next = bench.greeted();
    // The peer gave up, and is asked for the same transaction again.
    advance(LIMIT).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.failed(), ["a"]);
    bench.begin("a");
    assert!(bench.frames(next).is_empty(), "its first request would be dropped by the peer");
    bench.answers("a");
    assert_eq!(bench.kinds(next), [Type::Transaction], "the old answer came along");
    bench.says(next, Type::GetState, "a");
    bench.answers("a");
    assert_eq!(bench.kinds(next), [Type::Response]);
    bench.says(next, Type::Completed, "a");
    let kinds: Vec<_> = bench.said_to_peer().into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [Type::GetState, Type::Completed]);
}

#[test]
fn an_answer_that_nobody_asked_for_reaches_nobody() {
    let (mut bench, replica) = asking();
    bench.answers("a");
    bench.answers("a");
    assert_eq!(bench.kinds(replica), [Type::Response]);
}

#[test]
fn what_this_version_does_not_know_reaches_who_runs_the_transaction() {
    let (mut bench, replica) = asking();
    let mut message = frame(Type::Undefined, "ch", "a").decode().unwrap();
    message.r#type = 999;
    bench.switch.peer_says(Frame::parse(message.encode_to_vec().into()).unwrap());
    assert_eq!(bench.frames(replica)[0].kind_number(), 999);
    bench.answers("a");
    assert_eq!(bench.kinds(replica), [Type::Response]);
}

#[test]
fn a_chaincode_that_is_called_twice_in_one_transaction_runs_twice() {
    let (mut bench, replica) = asking();
    bench.answers("a");
    bench.says(replica, Type::Completed, "a");
    bench.begin("a");
    bench.says(replica, Type::Completed, "a");
    assert_eq!(bench.kinds(replica), [Type::Response, Type::Transaction]);
    assert_eq!(bench.said_to_peer().len(), 2);
    assert_eq!(bench.switch.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_that_was_given_up_is_not_that_of_the_next() {
    let mut bench = Bench::ready(Limits::default());
    let slow = bench.greeted();
    bench.begin("a");
    bench.begin("a");
    assert_eq!(bench.kinds(slow), [Type::Transaction], "two runs at once in one process");
    bench.says(slow, Type::Completed, "a");
    assert!(bench.said_to_peer().is_empty());
    assert_eq!(bench.kinds(slow), [Type::Transaction]);
    bench.says(slow, Type::Completed, "a");
    assert_eq!(bench.said_to_peer().len(), 1);

    bench.begin("b");
    bench.begin("b");
    advance(Limits::default().replica_wait).await;
    bench.switch.expire(Instant::now());
    let [(_, _, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!(text, "an earlier run of this transaction did not end within 2 s");
}

#[test]
fn what_a_run_that_was_given_up_asks_reaches_no_simulation_of_the_next() {
    let mut bench = Bench::ready(Limits::default());
    let slow = bench.greeted();
    bench.begin("a");
    bench.begin("a");
    bench.frames(slow);
    bench.says(slow, Type::PutState, "a");
    assert!(bench.said_to_peer().is_empty(), "what it writes would be the next run's");
    assert_eq!(bench.kinds(slow), [Type::Error], "its thread would hang");
    bench.says(slow, Type::Error, "a");
    assert_eq!(bench.kinds(slow), [Type::Transaction]);
    bench.says(slow, Type::PutState, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::PutState);
}

#[test]
fn a_run_that_was_given_up_makes_place_when_its_replica_dies() {
    let mut bench = Bench::ready(Limits::default());
    let (slow, other) = (bench.greeted(), bench.greeted());
    bench.begin("a");
    bench.begin("a");
    bench.switch.replica_gone(slow, "broken pipe");
    assert_eq!(bench.kinds(other), [Type::Transaction]);
    assert!(bench.said_to_peer().is_empty(), "nobody waits for the first run");
}

#[test]
fn a_second_request_before_the_answer_costs_the_transaction_alone() {
    let (mut bench, replica) = asking();
    bench.begin("b");
    bench.frames(replica);
    bench.says(replica, Type::GetState, "a");
    assert!(bench.said_to_peer().is_empty(), "the peer would drop it without a word");
    bench.answers("a");
    let [(_, txid, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!(txid, "a");
    assert!(text.contains("sent GET_STATE while the peer was answering another"), "{text}");
    assert_eq!(bench.kinds(replica), [Type::Error, Type::Response], "no thread of it hangs");
    bench.says(replica, Type::Completed, "b");
    assert_eq!(bench.said_to_peer().len(), 1);
}

#[test]
fn a_run_that_was_ended_without_its_replica_has_no_say_in_the_next_one() {
    let (mut bench, replica) = asking();
    bench.says(replica, Type::GetState, "a");
    bench.answers("a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Error, "two requests at once");
    bench.frames(replica);
    // Another chaincode has called this one, and calls it again.
    bench.begin("a");
    assert!(bench.frames(replica).is_empty(), "two runs at once in one process");
    bench.says(replica, Type::PutState, "a");
    assert_eq!(bench.kinds(replica), [Type::Error]);
    bench.says(replica, Type::Completed, "a");
    assert!(bench.said_to_peer().is_empty(), "the first run's result would be the second one's");
    assert_eq!(bench.kinds(replica), [Type::Transaction]);
    bench.says(replica, Type::Completed, "a");
    assert_eq!(bench.said_to_peer().len(), 1);
    assert_eq!((bench.switch.in_flight(), bench.switch.transactions.all().count()), (0, 0));
}

#[test]
fn a_run_that_was_ended_without_its_replica_makes_place_when_that_dies() {
    let (mut bench, replica) = asking();
    bench.says(replica, Type::GetState, "a");
    bench.answers("a");
    bench.begin("a");
    let other = bench.greeted();
    bench.switch.replica_gone(replica, "broken pipe");
    assert_eq!(bench.kinds(other), [Type::Transaction]);
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_has_given_up_serves_routing_alone() {
    let mut bench = Bench::ready(Limits { execution: LIMIT, ..Limits::default() });
    let (stuck, other) = (bench.greeted(), bench.greeted());
    bench.begin("a");
    bench.frames(stuck);
    assert_eq!(bench.switch.next_expiry(), Some(Instant::now() + LIMIT));
    advance(LIMIT).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.switch.in_flight(), 0, "it would hold up every drain");
    assert!(bench.said_to_peer().is_empty());
    // It weighs on nobody.
    for txid in ["b", "c"] {
        bench.begin(txid);
    }
    assert_eq!((bench.txids(other).len(), bench.txids(stuck).len()), (1, 1));
    // A peer with a longer timeout still gets all that comes.
    bench.says(stuck, Type::GetState, "a");
    bench.answers("a");
    assert_eq!(bench.kinds(stuck), [Type::Response]);
    bench.says(stuck, Type::Completed, "a");
    assert_eq!(bench.said_to_peer().len(), 2);
}

#[test]
fn at_the_end_everybody_is_answered_whatever_is_outstanding() {
    let (mut bench, replica) = asking();
    bench.begin("b");
    bench.says(replica, Type::GetState, "b");
    bench.says(replica, Type::Completed, "b");
    bench.said_to_peer();
    bench.switch.answer_all("the chaincode is being stopped");
    let mut said = bench.said_to_peer();
    said.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!((said[0].0, said[1].0), (Type::Error, Type::Completed));
    bench.answers("a");
    assert!(bench.said_to_peer().is_empty());
}

/// What the peer answers to a query of "a".
pub(super) fn query_answer(id: &str, has_more: bool) -> Frame {
    let mut payload = Vec::new();
    // A result, which is passed over.
    prost::encoding::bytes::encode(1, &b"key and value".to_vec(), &mut payload);
    prost::encoding::bool::encode(2, &has_more, &mut payload);
    prost::encoding::string::encode(3, &id.to_owned(), &mut payload);
    answer(Type::Response, payload)
}

fn answer(kind: Type, payload: Vec<u8>) -> Frame {
    let message = ChaincodeMessage {
        r#type: kind.into(),
        payload,
        channel_id: "ch".into(),
        txid: "a".into(),
        ..Default::default()
    };
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

/// One replica with transaction "a", which has read a part of what two queries found.
fn reading() -> (Bench, ReplicaId) {
    let mut bench = Bench::ready(Limits { execution: LIMIT, ..once() });
    let replica = bench.greeted();
    bench.begin("a");
    for id in ["first", "second"] {
        bench.says(replica, Type::GetStateByRange, "a");
        bench.switch.peer_says(query_answer(id, true));
    }
    bench.said_to_peer();
    bench.frames(replica);
    (bench, replica)
}

/// Has the peer close two iterators, and then hears the end.
fn closes_two(bench: &mut Bench) -> Type {
    for _ in 0..2 {
        let [(kind, txid, _)] = &bench.said_to_peer()[..] else { panic!("one thing at a time") };
        assert_eq!((*kind, txid.as_str()), (Type::QueryStateClose, "a"));
        assert_eq!(bench.switch.in_flight(), 1);
        bench.switch.peer_says(query_answer("closed", false));
    }
    let [(kind, ..)] = bench.said_to_peer()[..] else { panic!("one end") };
    assert_eq!(bench.switch.in_flight(), 0);
    kind
}

#[test]
fn what_a_dead_replica_left_open_is_closed_before_the_peer_is_told() {
    let (mut bench, dead) = reading();
    bench.switch.replica_gone(dead, "broken pipe");
    assert_eq!(closes_two(&mut bench), Type::Error);
}

#[test]
fn what_chaincode_forgot_to_close_is_closed_and_it_hears_nothing_of_that() {
    let (mut bench, replica) = reading();
    bench.says(replica, Type::Completed, "a");
    assert_eq!(closes_two(&mut bench), Type::Completed);
    assert!(bench.frames(replica).is_empty());
}

#[test]
fn what_was_read_to_its_end_or_closed_or_failed_is_not_closed_again() {
    let (mut bench, replica) = reading();
    bench.says(replica, Type::QueryStateNext, "a");
    bench.switch.peer_says(query_answer("first", false));
    bench.says(replica, Type::QueryStateClose, "a");
    bench.switch.peer_says(query_answer("second", false));
    bench.says(replica, Type::GetQueryResult, "a");
    bench.switch.peer_says(answer(Type::Error, b"no such index".to_vec()));
    // What a key holds may look like anything.
    bench.says(replica, Type::GetState, "a");
    bench.switch.peer_says(query_answer("third", true));
    bench.said_to_peer();
    bench.says(replica, Type::Completed, "a");
    let [(kind, ..)] = bench.said_to_peer()[..] else { panic!() };
    assert_eq!(kind, Type::Completed);
}

#[test]
fn what_is_interrupted_ends_when_the_peer_may_be_told() {
    let (mut bench, replica) = reading();
    bench.switch.interrupt("the chaincode is being stopped");
    bench.says(replica, Type::QueryStateNext, "a");
    assert_eq!(bench.kinds(replica), [Type::Error], "it has nothing to say any more");
    assert_eq!(closes_two(&mut bench), Type::Error);
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_has_given_up_keeps_nothing_of_its_message() {
    let mut bench = Bench::ready(Limits { execution: LIMIT, ..Limits::default() });
    let replica = bench.greeted();
    let mut long = frame(Type::Transaction, "ch", "a").decode().unwrap();
    long.payload = vec![0; 64 << 10];
    let first = Frame::parse(long.encode_to_vec().into()).unwrap();
    let bytes = first.bytes().clone();
    bench.switch.peer_says(first);
    assert_eq!(bench.kinds(replica), [Type::Transaction]);
    assert!(!bytes.is_unique(), "it is kept as long as the peer waits");
    advance(LIMIT).await;
    bench.switch.expire(Instant::now());
    assert!(bytes.is_unique(), "chaincode that never ends would fill the launcher");
    bench.says(replica, Type::Completed, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
}
