//! Chaincode that exists only while it is called (`execution: function`): at rest no process of it
//! runs, a call starts one, and callers notice nothing of its coming and going.

use std::collections::BTreeSet;

use e2e::{
    Gateway, Op, Process, SharedStage, Stage, StageSpec, Turn, chaincode_dir, processes_of,
    run_processes,
};
use serde_json::{Value, json};
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::ledger;
use crate::link::{SOON, assert_kept, await_asleep, watched};

/// Says how chaincode of a name runs.
fn function(name: &str, function: &Value, environment: &Value) -> Value {
    json!({
        "match": { "label": format!("{name}_*") },
        "chaincode": { "execution": "function", "function": function, "environment": environment },
    })
}

static STAGE: SharedStage = SharedStage::new(|| {
    let none = json!({});
    let said = [
        ("once", json!({ "callsPerProcess": 1 })),
        ("idle", json!({ "idle": "1s" })),
        ("wide", json!({ "concurrency": 8, "maxReplicas": 2 })),
        ("many", json!({ "callsPerProcess": 3, "maxReplicas": 4, "idle": "1s" })),
        ("ahead", json!({ "callsPerProcess": 1, "ahead": 1, "maxReplicas": 3 })),
        ("fatal", none.clone()),
        ("silent", none.clone()),
        ("stays", json!({ "callsPerProcess": 1 })),
    ];
    let mut overrides: Vec<Value> =
        said.iter().map(|(name, said)| function(name, said, &none)).collect();
    overrides.push(function("fails", &none, &json!({ "LEDGER_FAILS": "no luck" })));
    let settings = vec![("overrides", json!(overrides))];
    Stage::raise(&StageSpec { network: watched, settings, ..StageSpec::new(Release::V3_1_1) })
});

/// A chaincode of a test's own.
struct Guest<'a> {
    turn: &'a Turn<'a>,
    package_id: String,
    gateway: Gateway,
}

impl<'a> Guest<'a> {
    /// The ledger contract, of which nobody has called anything yet.
    fn deploy(turn: &'a Turn<'a>, name: &str) -> Self {
        Self { turn, package_id: ledger::deploy(turn, name), gateway: turn.gateway(name) }
    }

    /// As one of our broken chaincodes.
    fn broken(turn: &'a Turn<'a>, name: &str) -> Self {
        let source = chaincode_dir("broken").join(name);
        let package_id = turn.deploy(&source, &Definition::new(name));
        Self { turn, package_id, gateway: turn.gateway(name) }
    }

    fn processes(&self) -> Vec<Process> {
        processes_of(self.turn, &self.package_id)
    }

    fn await_processes(&self, number: usize) {
        let there = || self.processes().len() == number;
        assert!(wait_until(SOON, there), "{number} are not there: {:?}", self.processes());
    }

    /// Which process answers, by its own word.
    fn pid(&mut self) -> String {
        self.gateway.call(Op::Evaluate, &["Pid"]).unwrap()
    }
}

#[test]
fn a_call_starts_a_process_which_answers_and_ends() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "once");
    let ready = "the peer takes the chaincode as ready";
    turn.launcher.log().wait_for_line(turn.launcher_mark, ready, SOON).unwrap();
    assert_eq!(guest.processes(), [], "nobody has called");
    let pids: BTreeSet<String> = (0..3)
        .map(|_| {
            let pid = guest.pid();
            guest.await_processes(0);
            pid
        })
        .collect();
    assert_eq!(pids.len(), 3, "a process for each call: {pids:?}");
    guest.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    assert_eq!(guest.gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    guest.await_processes(0);
    let told = turn.peer_lines();
    assert!(!told.contains("a process of the chaincode ended"), "{told}");
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn a_process_stays_for_the_next_call_until_it_has_been_idle() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "idle");
    let first = guest.pid();
    assert_eq!(guest.pid(), first, "it was there");
    guest.await_processes(0);
    assert_ne!(guest.pid(), first);
    guest.await_processes(0);
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn calls_share_a_process_as_far_as_it_has_room() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "wide");
    guest.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    for (calls, processes) in [(8, 1), (9, 2)] {
        let mark = turn.peer().log().mark();
        let slow = |_| guest.gateway.start_call(Op::Evaluate, &["Slow", "1500", "k"]);
        let pending: Vec<_> = (0..calls).map(slow).collect();
        await_asleep(&turn, mark, calls);
        assert_eq!(guest.processes().len(), processes, "for {calls} calls");
        for call in pending {
            assert_eq!(call.result().unwrap(), "v");
        }
    }
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn no_call_fails_while_processes_come_and_go_under_load() {
    // No more than all processes together have room for: whoever waits, waits for one start.
    const CLIENTS: u64 = 12;
    const COUNT: u64 = 360;
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "many");
    guest.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    for (op, arguments) in [(Op::Evaluate, &["Get", "k"][..]), (Op::Submit, &["Put", "k-%d", "v"])]
    {
        let report = guest.gateway.load(op, CLIENTS, COUNT, arguments);
        assert_eq!((report.count, report.failed), (COUNT, 0), "{report:?}");
    }
    guest.await_processes(0);
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn one_is_kept_ahead_of_the_next_call() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "ahead");
    for _ in 0..3 {
        guest.await_processes(1);
        let ahead = guest.processes();
        // It ends with its call.
        let said = ahead[0].said().unwrap();
        assert_eq!(guest.pid(), said);
        assert!(wait_until(SOON, || !guest.processes().contains(&ahead[0])), "it had its call");
    }
    guest.await_processes(1);
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn what_a_killed_process_had_is_run_again_on_another() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "fatal");
    guest.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let mark = turn.peer().log().mark();
    let call = guest.gateway.start_call(Op::Evaluate, &["Slow", "1500", "k"]);
    await_asleep(&turn, mark, 1);
    let process = guest.processes().remove(0);
    let said = process.said().unwrap();
    process.kill();
    assert_eq!(call.result().unwrap(), "v");
    assert_ne!(guest.pid(), said);

    // It ends the process that it is run on, and the one that it is run on again.
    let error = guest.gateway.call(Op::Evaluate, &["Crash"]).unwrap_err();
    assert!(error.contains("and it was run again already"), "{error}");
    let told = "a process of the chaincode ended: exit status: 42";
    turn.peer().log().wait_for_line(turn.peer_mark, told, SOON).unwrap();
    guest.pid();
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn a_process_that_cannot_start_is_told_to_each_call() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "fails");
    for _ in 0..2 {
        let error = guest.gateway.call(Op::Evaluate, &["Pid"]).unwrap_err();
        for part in ["it ended before it registered", "exit status: 3", "ledger: no luck"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }
    assert_eq!(guest.processes(), []);
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn a_process_that_takes_too_long_to_start_is_told() {
    let turn = STAGE.enter();
    let mut guest = Guest::broken(&turn, "silent");
    let error = guest.gateway.call(Op::Evaluate, &["Ping"]).unwrap_err();
    let told = "no process of the chaincode was started and registered within 2 s";
    assert!(error.contains(told) && error.contains("chaincode.function.ahead"), "{error}");
    assert_eq!(guest.processes().len(), 1, "the next call may find it ready");
    assert_kept(&turn, &guest.package_id);
}

#[test]
fn a_peer_and_a_launcher_that_restart_start_no_process() {
    let turn = STAGE.enter();
    let mut guest = Guest::deploy(&turn, "stays");
    guest.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    turn.peer().restart().unwrap();
    guest.gateway = turn.gateway("stays");
    assert_eq!(guest.gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    guest.await_processes(0);
    turn.launcher.kill();
    assert!(wait_until(SOON, || run_processes(&turn).is_empty()), "run waits for nobody");
    turn.launcher.restart().unwrap();
    assert_eq!(guest.gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    guest.await_processes(0);
}
