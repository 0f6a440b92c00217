//! What a replica that does its worst can make the proxy keep, and how often.

use super::*;

fn sized(kind: Type, txid: &str, bytes: usize) -> Frame {
    let mut message = frame(kind, "ch", txid).decode().unwrap();
    message.payload = vec![7; bytes];
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

#[test]
fn what_waits_for_a_replica_is_bounded_in_bytes() {
    let limits = Limits { replica_bytes: 1 << 20, ..Limits::default() };
    let mut bench = Bench::ready(limits);
    let bad = bench.greeted();
    bench.begin("a");
    for _ in 0..20 {
        bench.says(bad, Type::GetState, "a");
        bench.switch.peer_says(sized(Type::Response, "a", 100 << 10));
    }
    assert_eq!(bench.farewell(bad), "it does not read what is sent to it");
    assert_eq!(bench.switch.roster.unread, 0);
}

#[test]
fn who_reads_the_least_goes_when_all_together_are_too_much() {
    let limits = Limits { chaincode_bytes: 1 << 20, ..Limits::default() };
    let mut bench = Bench::ready(limits);
    let (bad, good) = (bench.greeted(), bench.greeted());
    for (txid, replica) in [("a", bad), ("b", good)] {
        bench.begin(txid);
        bench.says(replica, Type::GetState, txid);
    }
    bench.switch.peer_says(sized(Type::Response, "a", 700 << 10));
    bench.switch.peer_says(sized(Type::Response, "b", 500 << 10));
    assert!(bench.is_cut(bad) && !bench.is_cut(good));
    assert_eq!(bench.frames(good).len(), 2);
    assert_eq!(bench.switch.roster.unread, 0);
}

#[test]
fn a_replica_asks_for_no_more_than_finds_room() {
    let mut bench = Bench::ready(Limits { answers: 1 << 20, ..Limits::default() });
    let replica = bench.greeted();
    for txid in ["a", "b", "c"] {
        bench.begin(txid);
    }
    bench.frames(replica);
    bench.says(replica, Type::GetState, "a");
    assert!(!bench.switch.is_replica_behind(replica), "how long are its answers?");
    bench.switch.peer_says(sized(Type::Response, "a", 900 << 10));
    assert!(bench.switch.is_replica_behind(replica));
    bench.frames(replica);
    assert!(!bench.switch.is_replica_behind(replica));
    bench.says(replica, Type::GetState, "b");
    assert!(bench.switch.is_replica_behind(replica), "another answer like it would be too much");
    bench.switch.peer_says(sized(Type::Response, "b", 10));
    bench.frames(replica);
    assert!(!bench.switch.is_replica_behind(replica));
}

#[test]
fn what_waits_for_no_replica_is_bounded_in_bytes_and_may_be_one_long_message() {
    let mut bench = Bench::ready(Limits { waiting_bytes: 1 << 20, ..Limits::default() });
    bench.switch.peer_says(sized(Type::Transaction, "long", 2 << 20));
    assert!(bench.said_to_peer().is_empty());
    bench.begin("b");
    assert_eq!(bench.failed(), ["b"]);
    let next = bench.greeted_with(&["long"]);
    bench.switch.replica_gone(next, "broken pipe");
    assert_eq!(bench.failed(), ["long"]);
    bench.begin("c");
    assert!(bench.said_to_peer().is_empty());
}

#[test]
fn what_a_client_is_told_is_bounded() {
    let mut bench = Bench::ready(Limits::default());
    bench.switch.set_trouble(usual(), "x".repeat(160 << 10));
    for number in 0..10 {
        bench.begin(&number.to_string());
    }
    assert!(bench.said_to_peer().iter().all(|(_, _, text)| text.len() < 400));
}

#[tokio::test(start_paused = true)]
async fn who_breaks_the_protocol_again_and_again_gets_nothing_for_a_while() {
    let mut bench = Bench::ready(Limits::default());
    let breach = |bench: &mut Bench| {
        let bad = bench.greeted();
        bench.says(bad, Type::Ready, "a");
        assert!(bench.is_cut(bad));
    };
    breach(&mut bench);
    let second = bench.greeted();
    bench.begin("a");
    assert_eq!(bench.txids(second), ["a"], "one breach costs nobody a second");
    bench.says(second, Type::Ready, "a");
    assert_eq!(bench.failed(), ["a"]);

    let third = bench.greeted();
    bench.begin("b");
    assert!(bench.frames(third).is_empty() && bench.said_to_peer().is_empty());
    let until = bench.switch.next_expiry().unwrap();
    advance(until - Instant::now()).await;
    bench.switch.expire(until);
    assert_eq!(bench.txids(third), ["b"], "the first bar is shorter than a transaction's wait");

    bench.says(third, Type::Ready, "b");
    breach(&mut bench);
    bench.said_to_peer();
    bench.greeted();
    bench.begin("c");
    let [(_, _, text)] = &bench.said_to_peer()[..] else { panic!("it waits in vain") };
    assert!(text.contains("broke the protocol again and again"), "{text}");
}

impl Bench {
    /// A replica that finds these transactions waiting.
    pub(super) fn greeted_with(&mut self, txids: &[&str]) -> ReplicaId {
        let id = self.replica();
        assert_eq!(self.txids(id)[2..], *txids);
        id
    }
}
