//! Many transactions, and large ones.

use e2e::Op;
use sha2::{Digest, Sha256};

use crate::ledger;

#[test]
fn ten_thousand_evaluations_in_a_row_all_succeed() {
    let turn = ledger::STAGE.enter();
    let mut gateway = turn.gateway(ledger::NAME);
    gateway.call(Op::Submit, &["Put", "read", "me"]).unwrap();
    let report = gateway.load(Op::Evaluate, 16, 10_000, &["Get", "read"]);
    assert_eq!((report.count, report.failed), (10_000, 0), "{report:?}");
}

#[test]
fn every_submitted_write_is_in_the_state() {
    const CLIENTS: u64 = 64;
    const COUNT: u64 = 2_000;
    let turn = ledger::STAGE.enter();
    let mut gateway = turn.gateway(ledger::NAME);
    let report = gateway.load(Op::Submit, CLIENTS, COUNT, &["Put", "volume-%d", "v%d"]);
    assert_eq!((report.count, report.failed), (COUNT, 0), "{report:?}");

    // Each client warms up with one call, which writes too.
    let range = gateway.call(Op::Evaluate, &["Range", "volume-", "volume-~"]).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&range).unwrap();
    assert_eq!(entries.len() as u64, CLIENTS + COUNT);
    for entry in entries {
        let number = entry["key"].as_str().unwrap().strip_prefix("volume-").unwrap();
        assert_eq!(entry["value"], format!("v{number}"));
    }
}

#[test]
fn a_message_of_64_mib_arrives_whole_in_both_directions() {
    const SIZE: usize = 64 << 20;
    let turn = ledger::STAGE.enter();
    let mut gateway = turn.gateway(ledger::NAME);
    let alphabet = (b'a'..=b'z').cycle();
    let big: Vec<u8> = alphabet.take(SIZE).collect();
    let size = SIZE.to_string();

    let answered = gateway.call_for_digest(Op::Evaluate, &["Big", &size]).unwrap();
    assert_eq!(answered, hex::encode(Sha256::digest(&big)));
    // A request of the chaincode's to the peer. The orderer would not take it.
    gateway.call(Op::Evaluate, &["PutBig", "big", &size]).unwrap();
    // A peer sends what a client sent twice in one message: this one has 64 MiB.
    let half = String::from_utf8(big[..SIZE / 2].to_vec()).unwrap();
    let echoed = gateway.call_for_digest(Op::Evaluate, &["Echo", &half]).unwrap();
    assert_eq!(echoed, hex::encode(Sha256::digest(&half)));
}
