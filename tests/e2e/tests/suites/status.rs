//! `selvedge status` beside a real peer: what runs, how many replicas are registered, and what went
//! wrong.

use std::process::{Command, Output};

use e2e::{Op, Turn, processes_of};
use serde_json::{Value, json};
use testbed::dist_dir;
use testbed::process::wait_until;

use crate::cases;
use crate::ledger;
use crate::link::SOON;

const NAME: &str = "asked";

/// Asks the launcher.
fn status(turn: &Turn<'_>, arguments: &[&str]) -> Output {
    let mut command = Command::new(dist_dir().join("bin/selvedge"));
    command.arg("status").args(arguments).env("SELVEDGE_LAUNCHER", turn.launcher.address());
    command.output().unwrap()
}

/// What it tells of all, for programs.
fn told(turn: &Turn<'_>) -> Value {
    let output = status(turn, &["--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until it tells something of a chaincode.
pub(crate) fn await_told(
    turn: &Turn<'_>,
    package_id: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let mut all = Value::Null;
    let mut found = Value::Null;
    let is_told = wait_until(SOON, || {
        all = told(turn);
        let mut chaincodes = all["chaincodes"].as_array().unwrap().iter();
        let one = chaincodes.find(|chaincode| chaincode["package_id"] == package_id);
        found = one.cloned().unwrap_or_default();
        holds(&found)
    });
    assert!(is_told, "{all:#}");
    found
}

#[test]
fn what_runs_is_told_with_its_replicas_and_what_went_wrong() {
    // Where no test counts what is built at a peer's restart.
    let turn = cases::STAGE.enter();
    let chaincode = json!({ "replicas": 2 });
    let overrides = json!([{ "match": { "label": format!("{NAME}_*") }, "chaincode": chaincode }]);
    turn.launcher.say("overrides", overrides).unwrap();
    let package_id = ledger::deploy(&turn, NAME);
    let mut client = turn.gateway(NAME);
    client.call(Op::Evaluate, &["Pid"]).unwrap();

    let ready = await_told(&turn, &package_id, |chaincode| {
        chaincode["state"] == "ready" && chaincode["replicas_registered"] == 2
    });
    let peer = turn.peer().msp_id();
    for (key, value) in [
        ("msp_id", json!(peer)),
        ("backend", json!("local")),
        ("replicas_wanted", json!(2)),
        ("lifted", json!([])),
        ("reasons", json!([])),
    ] {
        assert_eq!(ready[key], value, "{key}: {ready:#}");
    }
    let launcher = &told(&turn)["launcher"];
    assert_eq!((&launcher["closed"], &launcher["file_refused"]), (&Value::Null, &Value::Null));

    processes_of(&turn, &package_id)[0].kill();
    let image = ready["image"].as_str().unwrap();
    let cells = [package_id.as_str(), peer, "ready", "2/2", "this machine", image];
    let ended = "ago: the chaincode ended and is started again: signal: 9";
    let mut text = String::new();
    let is_shown = wait_until(SOON, || {
        text = String::from_utf8(status(&turn, &[]).stdout).unwrap();
        let mut rows = text.lines().skip_while(|line| !line.starts_with(&package_id));
        let row: Vec<&str> = rows.next().unwrap_or_default().split("  ").map(str::trim).collect();
        cells.iter().all(|cell| row.contains(cell))
            && rows.next().is_some_and(|line| line.contains(ended))
    });
    assert!(is_shown, "{cells:?}, {ended}:\n{text}");

    // It ends the replica that it is run on, and the one that it is run on again.
    client.call(Op::Evaluate, &["Crash"]).unwrap_err();
    let fates = json!({
        "in_flight": 0, "begun": 2, "failed": 1, "run_again": 1, "answered": 1, "differed": 0
    });
    await_told(&turn, &package_id, |chaincode| chaincode["transactions"] == fates);

    // Of a file that is refused it tells what `/readyz` tells.
    turn.launcher.write_file("apiVersion: selvedge/v1\nchaincode: {replcas: 1}\n").unwrap();
    let mut refused = Value::Null;
    let is_refused = wait_until(SOON, || {
        refused = told(&turn)["launcher"]["file_refused"].clone();
        refused.is_string()
    });
    assert!(is_refused, "{refused}");
    assert!(refused.as_str().unwrap().contains("did you mean `replicas`?"), "{refused}");
    // For who comes next on this stage.
    turn.launcher.say("overrides", Value::Null).unwrap();
}
