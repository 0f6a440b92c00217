//! Replicas whose number follows what there is to do (`chaincode.scaling`).

use e2e::{Op, SharedStage, Stage, StageSpec, Turn, processes_of};
use serde_json::json;
use testbed::Release;
use testbed::process::wait_until;

use crate::ledger;
use crate::link::{SOON, assert_kept, watched};

static STAGE: SharedStage = SharedStage::new(|| {
    let scaling = json!({ "maxReplicas": 3, "inFlight": 2, "calm": "3s" });
    let settings = vec![("chaincode", json!({ "scaling": scaling }))];
    Stage::raise(&StageSpec { network: watched, settings, ..StageSpec::new(Release::V3_1_1) })
});

#[test]
fn replicas_come_with_what_there_is_to_do_and_go_with_it() {
    let turn = STAGE.enter();
    let package_id = ledger::deploy(&turn, "tide");
    let mut gateway = turn.gateway("tide");
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let there = || processes_of(&turn, &package_id);
    let first = there();
    assert_eq!(first.len(), 1, "{first:?}");

    // More in flight than two have: three.
    let much = gateway.start_load_for(Op::Evaluate, 6, 120 * SOON, &["Slow", "200", "k"]);
    assert!(wait_until(6 * SOON, || there().len() == 3), "{:?}", there());
    let of = format!(r#"{{package_id="{package_id}",msp_id="Org1MSP",peer="",deployment=""}}"#);
    let told = [format!("replicas_wanted{of} 3"), format!("transactions_in_flight{of} 6")];
    let told = told.map(|told| format!("selvedge_chaincode_{told}\n"));
    let mut metrics = String::new();
    // Between two calls of a client there is one less.
    let is_told = || {
        metrics = turn.launcher.metrics().unwrap();
        told.iter().all(|told| metrics.contains(told))
    };
    assert!(wait_until(6 * SOON, is_told), "{metrics}");
    let much = gateway.end_load(much);
    assert_eq!(much.failed, 0, "{much:?}");

    // Two clients go on while the others' replicas go.
    let little = gateway.start_load_for(Op::Evaluate, 2, 120 * SOON, &["Slow", "20", "k"]);
    assert!(wait_until(6 * SOON, || there() == first), "{first:?}, now {:?}", there());
    let little = gateway.end_load(little);
    assert_eq!(little.failed, 0, "{little:?}");
    assert_no_loss(&turn, &package_id);
    assert_kept(&turn, &package_id);
}

#[test]
fn one_that_is_not_wanted_any_more_finishes_what_it_has() {
    let turn = STAGE.enter();
    let package_id = ledger::deploy(&turn, "ebb");
    let mut gateway = turn.gateway("ebb");
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let there = || processes_of(&turn, &package_id).len();
    let much = gateway.start_load_for(Op::Evaluate, 6, 120 * SOON, &["Slow", "200", "k"]);
    assert!(wait_until(6 * SOON, || there() == 3));
    assert_eq!(gateway.end_load(much).failed, 0);
    // In each, until after the time when two of them are not wanted.
    let slow: Vec<_> =
        (0..3).map(|_| gateway.start_call(Op::Evaluate, &["Slow", "9000", "k"])).collect();
    for call in slow {
        assert_eq!(call.result().unwrap(), "v");
    }
    assert!(wait_until(6 * SOON, || there() == 1));
    assert_no_loss(&turn, &package_id);
    assert_kept(&turn, &package_id);
}

/// No replica went with a transaction in flight.
fn assert_no_loss(turn: &Turn<'_>, package_id: &str) {
    let lines = turn.launcher_lines();
    let is_loss = |line: &&str| {
        line.contains(package_id)
            && (line.contains("replica is gone") || line.contains("ended too soon"))
    };
    assert_eq!(lines.lines().find(is_loss), None);
}
