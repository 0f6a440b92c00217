//! Transactions that are run again when their replica dies.

use super::*;

/// A message of a transaction that has a payload.
pub(super) fn message(kind: Type, txid: &str, payload: &[u8]) -> Frame {
    let message =
        ChaincodeMessage { payload: payload.into(), ..frame(kind, "ch", txid).decode().unwrap() };
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

impl Bench {
    /// A replica asks for something, and the peer, which has to hear of it, answers.
    fn reads(&mut self, id: ReplicaId, txid: &str, key: &str) {
        self.switch.replica_says(id, message(Type::GetState, txid, key.as_bytes()));
        assert_eq!(self.said_to_peer(), [(Type::GetState, txid.into(), key.into())]);
        let value = format!("value of {key}");
        self.switch.peer_says(message(Type::Response, txid, value.as_bytes()));
        assert_eq!(self.told(id), [value]);
    }

    /// A replica asks for something of which the peer does not hear; what it is told.
    fn reads_again(&mut self, id: ReplicaId, txid: &str, key: &str) -> Vec<String> {
        self.switch.replica_says(id, message(Type::GetState, txid, key.as_bytes()));
        assert!(self.said_to_peer().is_empty(), "the peer is asked for {key} twice");
        self.told(id)
    }

    /// The payloads of what a replica was told.
    fn told(&mut self, id: ReplicaId) -> Vec<String> {
        let text = |frame: Frame| String::from_utf8(frame.payload().to_vec()).unwrap();
        self.frames(id).into_iter().map(text).collect()
    }

    /// What the peer was told of one transaction that failed.
    pub(super) fn failure(&mut self) -> String {
        let [(Type::Error, _, text)] = &self.said_to_peer()[..] else { panic!() };
        text.clone()
    }

    pub(super) fn dies(&mut self, id: ReplicaId) {
        self.switch.replica_gone(id, "broken pipe");
    }
}

/// Two replicas, of which the first has transaction "a" and has read "x" and "y".
fn two(limits: Limits) -> (Bench, ReplicaId, ReplicaId) {
    let mut bench = Bench::ready(limits);
    let (first, second) = (bench.greeted(), bench.greeted());
    bench.begin("a");
    assert_eq!(bench.txids(first), ["a"]);
    bench.reads(first, "a", "x");
    bench.reads(first, "a", "y");
    bench.events();
    (bench, first, second)
}

#[test]
fn the_next_replica_goes_on_where_the_dead_one_was() {
    let (mut bench, dead, next) = two(Limits::default());
    bench.dies(dead);
    assert!(bench.said_to_peer().is_empty(), "the peer notices nothing");
    let (credential, reason) = (usual(), "broken pipe".to_owned());
    let fates = Fates { answered: 0, run_again: 1 };
    assert_eq!(bench.events(), [Event::ReplicaGone { replica: dead, credential, reason, fates }]);
    assert_eq!(bench.kinds(next), [Type::Transaction]);
    assert_eq!(bench.reads_again(next, "a", "x"), ["value of x"]);
    assert_eq!(bench.reads_again(next, "a", "y"), ["value of y"]);
    bench.reads(next, "a", "z");
    assert_eq!(bench.switch.in_flight(), 1);
    bench.says(next, Type::Completed, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
    assert_eq!(bench.switch.in_flight(), 0);
    assert!(bench.events().is_empty());
}

#[test]
fn what_the_peer_is_at_is_waited_for() {
    let (mut bench, dead, next) = two(Limits::default());
    bench.switch.replica_says(dead, message(Type::GetState, "a", b"z"));
    bench.said_to_peer();
    bench.dies(dead);
    assert!(bench.frames(next).is_empty(), "its next request would be dropped by the peer");
    bench.switch.peer_says(message(Type::Response, "a", b"value of z"));
    assert_eq!(bench.kinds(next), [Type::Transaction]);
    for key in ["x", "y", "z"] {
        assert_eq!(bench.reads_again(next, "a", key), [format!("value of {key}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_its_time_is_waited_for() {
    let (mut bench, dead, next) = two(Limits::default());
    bench.switch.replica_says(dead, message(Type::GetState, "a", b"z"));
    bench.said_to_peer();
    bench.dies(dead);
    for _ in 0..5 {
        advance(Limits::default().replica_wait).await;
        bench.switch.expire(Instant::now());
    }
    assert!(bench.said_to_peer().is_empty());
    bench.switch.peer_says(message(Type::Response, "a", b"value of z"));
    assert_eq!(bench.kinds(next), [Type::Transaction]);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_replica_and_no_longer_than_any_transaction() {
    let mut bench = Bench::ready(Limits::default());
    let dead = bench.greeted();
    bench.begin("a");
    bench.dies(dead);
    let next = bench.greeted_with(&["a"]);
    bench.begin("b");
    bench.dies(next);
    let text = bench.failure();
    assert!(text.ends_with("transaction (and it was run again already): broken pipe"), "{text}");
    advance(Limits::default().replica_wait).await;
    bench.switch.expire(Instant::now());
    let text = bench.failure();
    assert_eq!(
        text,
        "the chaincode's replica ended while it ran this transaction: broken pipe; no replica of \
         the chaincode became ready within 2 s"
    );
    assert_eq!((bench.switch.in_flight(), bench.switch.waiting.deadline()), (0, None));
}

#[test]
fn where_no_replica_will_come_it_is_ended_at_once() {
    let mut bench = Bench::ready(Limits::default());
    let dead = bench.greeted();
    bench.begin("a");
    bench.switch.set_trouble(usual(), "it ended 3 times in a row".into());
    bench.dies(dead);
    let text = bench.failure();
    assert!(
        text.ends_with("broken pipe; no other is running: it ended 3 times in a row"),
        "{text}"
    );

    let mut bench = Bench::ready(Limits::default());
    let dead = bench.greeted();
    bench.begin("a");
    bench.dies(dead);
    bench.switch.close("the chaincode is being stopped");
    let text = bench.failure();
    assert!(text.ends_with("no other is running: the chaincode is being stopped"), "{text}");
}

#[test]
fn who_does_something_else_than_before_is_not_deterministic() {
    let other_request = message(Type::GetState, "a", b"something else");
    let other_kind = message(Type::DelState, "a", b"x");
    let too_soon = message(Type::Completed, "a", b"");
    for (said, hears) in [(other_request, true), (other_kind, true), (too_soon, false)] {
        let (mut bench, dead, next) = two(Limits::default());
        bench.dies(dead);
        bench.frames(next);
        bench.events();
        bench.switch.replica_says(next, said);
        let text = bench.failure();
        assert!(text.ends_with("the chaincode is not deterministic"), "{text}");
        assert_eq!(bench.told(next), if hears { vec![text] } else { vec![] });
        let (channel, transaction) = ("ch".into(), "a".into());
        assert_eq!(
            bench.events(),
            [Event::TransactionDiffered { channel, transaction, number: 1 }]
        );
        assert_eq!(bench.switch.in_flight(), 0);
    }
}

#[test]
fn it_is_not_run_a_third_time() {
    let (mut bench, first, second) = two(Limits::default());
    let third = bench.greeted();
    bench.dies(first);
    assert_eq!(bench.kinds(second), [Type::Transaction]);
    bench.dies(second);
    let text = bench.failure();
    assert!(text.contains("(after 2 requests; and it was run again already): broken"), "{text}");
    assert!(bench.frames(third).is_empty());
}

#[test]
fn where_the_operator_wants_none_it_is_ended() {
    let (mut bench, first, _) = two(once());
    bench.dies(first);
    let text = bench.failure();
    assert!(text.ends_with("ran this transaction (after 2 requests): broken pipe"), "{text}");
}

#[test]
fn of_one_that_has_got_too_much_nothing_is_kept() {
    let limits = Limits { journal: 300, ..Limits::default() };
    let (mut bench, first, second) = two(limits);
    assert_eq!(bench.switch.transactions.kept(), 0);
    bench.dies(first);
    let text = bench.failure();
    assert!(
        text.contains("(after 2 requests; it has read or written too much to be run again)"),
        "{text}"
    );
    assert!(bench.frames(second).is_empty());
}

#[test]
fn a_request_too_long_to_be_known_again_ends_the_journal() {
    let limits = Limits { journal: 2_000, ..Limits::default() };
    let (mut bench, first, _) = two(limits);
    bench.switch.replica_says(first, message(Type::PutState, "a", &[b'v'; 2_000]));
    assert_eq!(bench.said_to_peer().len(), 1);
    assert_eq!(bench.switch.transactions.kept(), 0);
    bench.answers("a");
    bench.dies(first);
    let text = bench.failure();
    assert!(text.contains("it has read or written too much to be run again"), "{text}");
}

#[test]
fn of_all_together_no_more_is_kept_than_may_be() {
    let limits = Limits { journals: 700, ..Limits::default() };
    let mut bench = Bench::ready(limits);
    let (first, second) = (bench.greeted(), bench.greeted());
    for txid in ["a", "other 1", "b", "other 2"] {
        bench.begin(txid);
    }
    bench.frames(first);
    for txid in ["a", "b"] {
        for key in ["x", "y"] {
            bench.reads(first, txid, key);
            assert!(bench.switch.transactions.kept() <= 700);
        }
    }
    bench.dies(first);
    let [(Type::Error, txid, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!(txid, "b", "the one that came upon the limit");
    assert!(text.contains("too much is kept of the chaincode's transactions"), "{text}");
    assert!(bench.txids(second).contains(&"a".into()));
}

#[test]
fn nothing_is_kept_of_what_has_ended() {
    let (mut bench, first, _) = two(Limits::default());
    assert_ne!(bench.switch.transactions.kept(), 0);
    bench.says(first, Type::Completed, "a");
    assert_eq!(bench.switch.transactions.kept(), 0);
}

#[test]
fn what_broke_the_protocol_is_not_tried_on_the_next_replica() {
    let mut bench = Bench::ready(Limits::default());
    let (bad, good) = (bench.greeted(), bench.greeted());
    for txid in ["culprit", "other", "bystander"] {
        bench.begin(txid);
    }
    bench.events();
    bench.says(bad, Type::Ready, "culprit");
    let text = bench.failure();
    assert!(text.contains("it broke the protocol"), "{text}");
    assert_eq!(bench.txids(good), ["other", "bystander"]);
    let fates = Fates { answered: 0, run_again: 1 };
    assert!(
        matches!(&bench.events()[..], [Event::ReplicaCutOff { fates: told, .. }] if *told == fates)
    );
}

#[test]
fn what_may_have_broken_the_protocol_is_not_tried_on_the_next_replica() {
    let (mut bench, bad, good) = two(Limits::default());
    bench.switch.replica_breaks(bad, &Violation::NotWriting);
    let text = bench.failure();
    assert!(
        text.contains("(after 2 requests; it might do so again): it broke the protocol"),
        "{text}"
    );
    assert!(bench.frames(good).is_empty());
}

#[test]
fn no_more_are_run_again_than_a_part_of_the_traffic() {
    let mut bench = Bench::ready(Limits::default());
    let (first, second) = (bench.greeted(), bench.greeted());
    let begun = 600;
    for number in 0..begun {
        bench.begin(&number.to_string());
    }
    bench.frames(first);
    bench.dies(first);
    let said = bench.said_to_peer();
    // A hundred whatever happens, and a fifth of what has begun.
    assert_eq!(said.len(), begun / 2 - (100 + begun / 5));
    assert!(said.iter().all(|(_, _, text)| text.contains("too many were run again lately")));
    assert!(!bench.is_cut(second));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_not_run_again() {
    let mut bench = Bench::ready(Limits::default());
    let dead = bench.greeted();
    bench.begin("a");
    bench.dies(dead);
    // The peer begins it anew: the first run is of no use to it.
    bench.begin("a");
    let next = bench.greeted_with(&["a"]);
    assert_eq!(bench.switch.in_flight(), 1);
    bench.says(next, Type::Completed, "a");
    assert_eq!(bench.said_to_peer().len(), 1);

    // The peer has given it up.
    let limits = Limits { replica_wait: Duration::from_mins(1), ..Limits::default() };
    let mut bench = Bench::ready(limits);
    let dead = bench.greeted();
    bench.begin("a");
    bench.dies(dead);
    advance(Limits::default().execution).await;
    bench.switch.expire(Instant::now());
    assert_eq!((bench.switch.in_flight(), bench.switch.transactions.kept()), (0, 0));
    bench.greeted();
    assert!(bench.said_to_peer().is_empty());
}

#[test]
fn what_the_peer_said_and_nobody_understands_cannot_be_said_again() {
    let (mut bench, first, _) = two(Limits::default());
    let mut unknown = frame(Type::Undefined, "ch", "a").decode().unwrap();
    unknown.r#type = 999;
    bench.switch.peer_says(Frame::parse(unknown.encode_to_vec().into()).unwrap());
    bench.dies(first);
    let text = bench.failure();
    assert!(text.contains("the peer sent what cannot be sent again"), "{text}");
}

#[test]
fn iterators_stay_open_for_the_next_run_and_are_closed_before_the_end() {
    let mut bench = Bench::ready(Limits::default());
    let (first, second) = (bench.greeted(), bench.greeted());
    bench.begin("a");
    bench.says(first, Type::GetStateByRange, "a");
    bench.switch.peer_says(outstanding::query_answer("i1", true));
    bench.said_to_peer();
    bench.dies(first);
    assert!(bench.said_to_peer().is_empty(), "the next run reads on");
    bench.says(second, Type::GetStateByRange, "a");
    assert_eq!(bench.kinds(second), [Type::Transaction, Type::Response]);
    bench.says(second, Type::Completed, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::QueryStateClose);
    bench.answers("a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
}
