//! Batches of writes of a transaction that is run again.

use super::replay::message;
use super::*;

/// `WRITE_BATCH_STATE` with these records, which are not looked into.
fn write_batch(txid: &str, records: &[&str]) -> Frame {
    let mut payload = Vec::new();
    for record in records {
        payload.extend([0x0a, u8::try_from(record.len()).unwrap()]);
        payload.extend(record.as_bytes());
    }
    message(Type::WriteBatchState, txid, &payload)
}

/// The records of the one message for the peer, which is such a batch.
fn written(bench: &mut Bench) -> Vec<String> {
    let batch = bench.switch.take_for_peer().expect("nothing was written");
    let payload = batch.decode().unwrap().payload;
    let mut records = Vec::new();
    let mut rest = &payload[..];
    while let [0x0a, length, tail @ ..] = rest {
        let (record, after) = tail.split_at(usize::from(*length));
        records.push(String::from_utf8(record.to_vec()).unwrap());
        rest = after;
    }
    records
}

/// One replica that has sent batches of writes, and dies; the next one, which runs it again.
fn after_batches(batches: &[&[&str]]) -> (Bench, ReplicaId) {
    let mut bench = Bench::new(Limits::default());
    let (first, second) = (bench.replica(), bench.replica());
    bench.switch.peer_is_ready(offering(Type::WriteBatchState));
    bench.begin("a");
    for records in batches {
        bench.switch.replica_says(first, write_batch("a", records));
        assert_eq!(written(&mut bench), *records);
        bench.answers("a");
    }
    bench.frames(second);
    bench.dies(first);
    assert_eq!(bench.kinds(second), [Type::Transaction]);
    (bench, second)
}

#[test]
fn writes_in_batches_may_come_in_any_order_and_division() {
    let (mut bench, next) = after_batches(&[&["k1", "k2", "k3"], &["k4"]]);
    for records in [&["k4", "k2"][..], &["k1", "k3"]] {
        bench.switch.replica_says(next, write_batch("a", records));
        assert_eq!(bench.kinds(next), [Type::Response]);
        assert!(bench.said_to_peer().is_empty());
    }
    bench.says(next, Type::Completed, "a");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
}

#[test]
fn of_writes_the_peer_hears_those_that_it_has_not() {
    let (mut bench, next) = after_batches(&[&["k1", "k2", "k3"]]);
    bench.switch.replica_says(next, write_batch("a", &["k5", "k2", "k4"]));
    assert_eq!(written(&mut bench), ["k5", "k4"]);
    bench.answers("a");
    assert_eq!(bench.kinds(next), [Type::Response]);
    bench.switch.replica_says(next, write_batch("a", &["k3", "k1"]));
    assert_eq!(bench.kinds(next), [Type::Response]);
    assert!(bench.said_to_peer().is_empty());
    // The same write once more is one more write.
    bench.switch.replica_says(next, write_batch("a", &["k1"]));
    assert_eq!(written(&mut bench), ["k1"]);
}

#[test]
fn who_does_not_write_all_again_is_not_deterministic() {
    for kind in [Type::Completed, Type::GetState] {
        let (mut bench, next) = after_batches(&[&["k1", "k2"]]);
        bench.switch.replica_says(next, write_batch("a", &["k1"]));
        bench.frames(next);
        bench.says(next, kind, "a");
        let text = bench.failure();
        assert!(text.ends_with("the chaincode is not deterministic"), "{kind:?}: {text}");
    }
}

#[test]
fn after_a_batch_that_failed_nobody_knows_what_was_written() {
    let mut bench = Bench::new(Limits::default());
    let (first, _second) = (bench.replica(), bench.replica());
    bench.switch.peer_is_ready(offering(Type::WriteBatchState));
    bench.begin("a");
    bench.switch.replica_says(first, write_batch("a", &["k1", "k2"]));
    bench.said_to_peer_raw();
    bench.switch.peer_says(message(Type::Error, "a", b"no such collection"));
    bench.dies(first);
    let text = bench.failure();
    assert!(text.contains("a batch of writes had failed"), "{text}");
}

impl Bench {
    fn said_to_peer_raw(&mut self) {
        while self.switch.take_for_peer().is_some() {}
    }
}
