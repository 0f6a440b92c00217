//! The operator's file is edited while everything runs: what it says of a chaincode takes effect, no
//! transaction fails of it, and a file that is not right changes nothing.

use std::time::Duration;

use e2e::{Load, Op, Process, Turn, processes_of};
use serde_json::{Value, json};
use testbed::process::wait_until;

use crate::ledger;
use crate::link::{SOON, assert_kept};
use crate::releases::{on_each_release, overrides};

on_each_release!(what_is_edited_under_load_takes_effect_and_fails_nothing);

/// The chaincode that the edits concern; all its packages have labels that begin with this.
const NAME: &str = "edited";

/// What the chaincode shows of its environment.
const VARIABLE: &str = "GREETING";

/// What a machine with much to do may need until new processes have taken over.
const LIMIT: Duration = Duration::from_mins(1);

/// Says how the chaincode runs.
fn say(turn: &Turn<'_>, chaincode: &Value) {
    let edited = json!({ "match": { "label": format!("{NAME}_*") }, "chaincode": chaincode });
    turn.launcher.say("overrides", overrides(&[edited])).unwrap_or_else(|error| panic!("{error}"));
}

/// Says how the chaincode runs, and waits until all of its processes are others.
fn edit(turn: &Turn<'_>, package_id: &str, chaincode: &Value) -> Vec<Process> {
    let before = processes_of(turn, package_id);
    let wanted = chaincode["replicas"].as_u64().unwrap();
    let mark = turn.peer().log().mark();
    say(turn, chaincode);
    let mut now = Vec::new();
    let replaced = wait_until(LIMIT, || {
        now = processes_of(turn, package_id);
        now.len() as u64 == wanted && !now.iter().any(|process| before.contains(process))
    });
    assert!(replaced, "{before:?} -> {now:?}\n{}", turn.peer().log().since(mark));
    now
}

/// The peer's log says of the chaincode what has changed, and that it has.
fn await_told(turn: &Turn<'_>, changes: &[&str]) {
    let told = |line: &str| {
        line.contains("it has new settings: ") && changes.iter().all(|change| line.contains(change))
    };
    let log = turn.peer().log();
    log.wait_for(turn.peer_mark, &changes.join("; "), SOON, told).unwrap();
    log.wait_for_line(turn.peer_mark, "it runs by its new settings", SOON).unwrap();
}

/// The peer's log says why the chaincode does not run by its new settings.
fn await_stayed(turn: &Turn<'_>, reason: &str) {
    let stayed = "it does not come up with its new settings, and runs on as before: it ended";
    let told = |line: &str| line.contains(stayed) && line.contains(reason);
    turn.peer().log().wait_for(turn.peer_mark, stayed, SOON, told).unwrap();
}

/// Who asks is told why the file is refused, and that the launcher is ready all the same.
fn await_refused(turn: &Turn<'_>, text: &str, reason: &str) {
    turn.launcher.write_file(text).unwrap();
    let mut answer = String::new();
    let refused = wait_until(SOON, || {
        answer = turn.launcher.readyz().unwrap();
        answer.contains("what was in force stays") && answer.contains(reason)
    });
    assert!(refused, "{reason}: {answer}");
    assert!(answer.contains(" 200 OK\r\n"), "{answer}");
    let line = "the operator's file is refused";
    turn.launcher.log().wait_for_line(turn.launcher_mark, line, SOON).unwrap();
}

fn what_is_edited_under_load_takes_effect_and_fails_nothing(turn: &Turn<'_>) {
    let package_id = ledger::deploy(turn, NAME);
    let mut client = turn.gateway(NAME);
    client.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let unset = client.call(Op::Evaluate, &["Env", VARIABLE]).unwrap_err();
    assert!(unset.contains("is not set"), "{unset}");
    let mut other = turn.gateway(ledger::NAME);
    let mut process_of_other = || {
        let process = Process::known_as(&other.call(Op::Evaluate, &["Pid"]).unwrap());
        let started = process.started();
        (process, started)
    };
    let untouched = process_of_other();
    let load = Load::begin(|| turn.gateway(NAME));

    edit(turn, &package_id, &json!({ "replicas": 3 }));
    await_told(turn, &["replicas: 1 -> 3"]);
    let environment = json!({ VARIABLE: "woven" });
    let three = edit(turn, &package_id, &json!({ "replicas": 3, "environment": environment }));
    await_told(turn, &["environment.GREETING: \"woven\""]);
    assert_eq!(client.call(Op::Evaluate, &["Env", VARIABLE]).unwrap(), "woven");

    let file = "apiVersion: selvedge/v1\nbackend: local\nchaincode: {replcas: 1}\n";
    await_refused(turn, file, "3:13: chaincode.replcas: unknown key; did you mean `replicas`?");
    let (half, _) = file.split_once("cas").unwrap();
    await_refused(turn, half, "3:12: unclosed bracket");
    assert_eq!(processes_of(turn, &package_id), three);
    assert_eq!(client.call(Op::Evaluate, &["Env", VARIABLE]).unwrap(), "woven");

    say(turn, &json!({ "replicas": 3, "environment": { "LEDGER_FAILS": "no luck" } }));
    await_stayed(turn, "exit status: 3; it wrote: ledger: process");
    assert_eq!(processes_of(turn, &package_id), three);
    assert_eq!(client.call(Op::Evaluate, &["Env", VARIABLE]).unwrap(), "woven");

    edit(turn, &package_id, &json!({ "replicas": 2, "environment": environment }));
    await_told(turn, &["replicas: 3 -> 2"]);
    let answer = turn.launcher.readyz().unwrap();
    assert!(answer.contains("operator's file ok"), "{answer}");
    load.assert_unharmed();
    assert_kept(turn, &package_id);
    assert_eq!(process_of_other(), untouched);
    // For who comes next on this stage.
    turn.launcher.say("overrides", overrides(&[])).unwrap_or_else(|error| panic!("{error}"));
}
