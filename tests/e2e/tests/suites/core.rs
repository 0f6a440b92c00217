//! The core path on each Fabric release: state, private data, events, batches, calls
//! between chaincodes, log lines, indexes.

use e2e::{Op, Stage, Turn, chaincode_dir};
use testbed::{CallOptions, Mark, Release};

use crate::releases::on_each_release;
use crate::{ledger, link};

on_each_release!(
    state_is_written_read_and_deleted,
    private_data_stays_in_its_collection,
    an_event_is_in_the_block,
    batches_are_used_where_the_peer_takes_them,
    one_chaincode_calls_another,
    a_mebibyte_goes_there_and_back,
    the_chaincodes_lines_reach_the_peers_log,
    the_peer_gets_the_indexes,
);

fn state_is_written_read_and_deleted(turn: &Turn<'_>) {
    let mut gateway = turn.gateway("ledger");
    for (key, value) in [("s1", "one"), ("s2", "two"), ("s3", "three")] {
        gateway.call(Op::Submit, &["Put", key, value]).unwrap();
    }
    assert_eq!(gateway.call(Op::Evaluate, &["Get", "s2"]).unwrap(), "two");
    let range = gateway.call(Op::Evaluate, &["Range", "s1", "s3"]).unwrap();
    assert_eq!(range, r#"[{"key":"s1","value":"one"},{"key":"s2","value":"two"}]"#);

    gateway.call(Op::Submit, &["Delete", "s2"]).unwrap();
    let error = gateway.call(Op::Evaluate, &["Get", "s2"]).unwrap_err();
    assert!(error.contains(r#"key "s2" has no value"#), "{error}");
}

fn private_data_stays_in_its_collection(turn: &Turn<'_>) {
    // "whisper" in base64, as the CLI takes transient data.
    let transient = Some(r#"{"value":"d2hpc3Blcg=="}"#.to_owned());
    let options = CallOptions { transient, ..CallOptions::default() };
    let call = r#"{"Args":["PutPrivate","secrets","p"]}"#;
    turn.peer().invoke_with("ledger", call, &options).unwrap();

    let mut gateway = turn.gateway("ledger");
    let private = gateway.call(Op::Evaluate, &["GetPrivate", "secrets", "p"]);
    assert_eq!(private.unwrap(), "whisper");
    let error = gateway.call(Op::Evaluate, &["Get", "p"]).unwrap_err();
    assert!(error.contains(r#"key "p" has no value"#), "{error}");
    assert!(!contains(&newest_block(turn), b"whisper"), "the block holds the private value");
}

fn an_event_is_in_the_block(turn: &Turn<'_>) {
    let mut gateway = turn.gateway("ledger");
    gateway.call(Op::Submit, &["Event", "sold", "one lamp"]).unwrap();
    let block = newest_block(turn);
    for part in ["sold", "one lamp"] {
        assert!(contains(&block, part.as_bytes()), "{part} is not in the block");
    }
}

fn batches_are_used_where_the_peer_takes_them(turn: &Turn<'_>) {
    let mut gateway = turn.gateway("ledger");
    gateway.call(Op::Submit, &["PutMany", "b1", "one", "b2", "two"]).unwrap();
    let values = gateway.call(Op::Evaluate, &["GetMany", "b1", "none", "b2"]).unwrap();
    assert_eq!(values, r#"["one",null,"two"]"#);

    // The shim batches only if READY's payload, which comes from the peer, says so.
    let batches = turn.release == Release::V3_1_1;
    let lines = turn.peer_lines();
    for kind in ["WRITE_BATCH_STATE", "GET_STATE_MULTIPLE"] {
        assert_eq!(lines.contains(&format!("handling {kind} from chaincode")), batches, "{kind}");
    }
}

fn one_chaincode_calls_another(turn: &Turn<'_>) {
    turn.gateway("other").call(Op::Submit, &["Put", "o", "of the other"]).unwrap();
    let mut gateway = turn.gateway("ledger");
    let value = gateway.call(Op::Evaluate, &["CallOther", "other", "", "Get", "o"]).unwrap();
    assert_eq!(value, "of the other");
    gateway.call(Op::Submit, &["CallOther", "other", "", "Put", "o", "by ledger"]).unwrap();
    assert_eq!(turn.gateway("other").call(Op::Evaluate, &["Get", "o"]).unwrap(), "by ledger");
}

fn a_mebibyte_goes_there_and_back(turn: &Turn<'_>) {
    let sent = "0123456789abcdef".repeat(1 << 16);
    let mut gateway = turn.gateway("ledger");
    let echoed = gateway.call(Op::Evaluate, &["Echo", &sent]).unwrap();
    assert!(echoed == sent, "{} bytes came back, and others", echoed.len());
}

fn the_chaincodes_lines_reach_the_peers_log(turn: &Turn<'_>) {
    let line = "ledger: the lamp was sold";
    turn.gateway("ledger").call(Op::Evaluate, &["Log", line]).unwrap();
    let logged = turn.peer().log().wait_for_line(turn.peer_mark, line, link::SOON).unwrap();
    assert!(logged.contains("[chaincode.externalbuilder.selvedge]"), "{logged}");
}

fn the_peer_gets_the_indexes(turn: &Turn<'_>) {
    let line = turn
        .peer()
        .log()
        .wait_for_line(Mark::default(), "Successfully installed chaincode", link::SOON)
        .unwrap();
    let package_id = line.split('\'').nth(1).expect("the line names the package ID");
    let release = turn.build_dir(package_id).join("release/statedb/couchdb");
    let source = chaincode_dir("ledger").join("META-INF/statedb/couchdb");
    for index in ["indexes/owner.json", "collections/secrets/indexes/price.json"] {
        assert_eq!(ledger::read(&release.join(index)), ledger::read(&source.join(index)));
    }
}

fn newest_block(stage: &Stage) -> Vec<u8> {
    let file = stage.network.dir().join("newest.block");
    let path = file.to_string_lossy();
    let arguments = ["channel", "fetch", "newest", &path, "-c", stage.network.channel()];
    stage.peer().cli(&arguments.map(str::to_owned), link::SOON).unwrap();
    ledger::read(&file)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
