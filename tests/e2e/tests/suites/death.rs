//! The chaincode's process dies: the peer keeps the link, and what was in flight is run again; where
//! the operator does not want that it fails at once. All else goes on.

use std::time::{Duration, Instant};

use e2e::{
    Gateway, Load, Op, Pending, Process, Remains, SharedStage, Stage, StageSpec, Turn,
    chaincode_dir, processes_of,
};
use serde_json::json;
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::ledger;
use crate::link::{LOST, SOON, assert_kept, await_asleep, watched};

/// Longer than any test: only the process's death ends such a call.
const VERY_SLOW: &str = "25000";

static STAGE: SharedStage = SharedStage::new(|| {
    let once = json!({"match": {"label": "once_*"}, "chaincode": {"replay": false}});
    let two = json!({"match": {"label": "two_*"}, "chaincode": {"replicas": 2}});
    let settings = vec![("overrides", json!([once, two]))];
    Stage::raise(&StageSpec { network: watched, settings, ..StageSpec::new(Release::V3_1_1) })
});

/// A chaincode of a test's own: one that died more than once is given time to recover.
struct Victim {
    package_id: String,
    gateway: Gateway,
}

impl Victim {
    fn deploy(turn: &Turn<'_>, name: &str) -> Self {
        let package_id = ledger::deploy(turn, name);
        Self { package_id, gateway: turn.gateway(name) }
    }

    /// Eight calls that read and eight that write, all of which sleep for so many milliseconds.
    fn calls(&mut self, turn: &Turn<'_>, milliseconds: &str) -> Vec<Pending> {
        let mark = turn.peer().log().mark();
        let calls: Vec<Pending> = (0..8)
            .flat_map(|number| {
                let key = format!("k{number}");
                let reading = self.gateway.start_call(Op::Evaluate, &["Slow", milliseconds, &key]);
                let writing = ["SlowPut", milliseconds, &key, "v"];
                [reading, self.gateway.start_call(Op::Submit, &writing)]
            })
            .collect();
        await_asleep(turn, mark, calls.len());
        calls
    }

    /// Its process, by its own word.
    fn process(&mut self) -> Process {
        Process::known_as(&self.gateway.call(Op::Evaluate, &["Pid"]).unwrap())
    }
}

#[test]
fn a_kill_is_noticed_by_nobody_who_has_called() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "slow");
    let process = victim.process();
    let calls = victim.calls(&turn, "1500");
    process.kill();
    let writes: Vec<_> = calls.into_iter().map(|call| call.result().unwrap()).collect();
    assert_eq!(writes, vec![""; 16]);
    assert_ne!(victim.process(), process);
    let range = victim.gateway.call(Op::Evaluate, &["Range", "k", "l"]).unwrap();
    assert_eq!(range.matches(r#""value":"v""#).count(), 8, "{range}");
    assert_eq!(fates(&turn, &victim.package_id), Fates { answered: 0, run_again: 16 });
    assert_kept(&turn, &victim.package_id);
}

#[test]
fn where_nothing_is_run_again_a_kill_fails_exactly_what_was_in_flight_at_once() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "once");
    let process = victim.process();
    let calls = victim.calls(&turn, VERY_SLOW);
    process.kill();
    let killed = Instant::now();
    for call in calls {
        let error = call.result().unwrap_err();
        assert!(error.contains("the chaincode's replica ended while it ran this"), "{error}");
    }
    assert_ne!(victim.process(), process);
    let back = killed.elapsed();
    assert!(back < Duration::from_secs(1), "back after {back:?}");

    let range = victim.gateway.call(Op::Evaluate, &["Range", "k", "l"]).unwrap();
    assert_eq!(range, "[]", "a transaction that failed has written");
    assert_eq!(fates(&turn, &victim.package_id), Fates { answered: 16, run_again: 0 });
    assert_kept(&turn, &victim.package_id);
}

#[test]
fn a_kill_under_load_fails_nothing() {
    const CLIENTS: u64 = 16;
    const COUNT: u64 = 4_000;
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "loaded");
    victim.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let process = victim.process();
    let load = victim.gateway.start_load(Op::Evaluate, CLIENTS, COUNT, &["Get", "k"]);
    load.await_start();
    process.kill();
    let report = load.report();

    assert_eq!((report.count, report.failed), (COUNT, 0), "{report:?}");
    assert!(report.longest_gap_us < 1e6, "{report:?}");
    assert_ne!(victim.process(), process);
    assert_eq!(fates(&turn, &victim.package_id).answered, 0);
    assert_kept(&turn, &victim.package_id);
}

#[test]
fn exit_in_a_transaction_is_told_and_the_chaincode_comes_back() {
    dies_by_itself("crashing", "Crash", "exit status: 42", "ledger: crash on demand");
}

#[test]
fn panic_in_a_transaction_is_told_and_the_chaincode_comes_back() {
    dies_by_itself("panicking", "Panic", "exit status: 2", "panic: ledger: panic on demand");
}

#[test]
fn a_process_that_hangs_is_replaced() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "hanging");
    let process = victim.process();
    process.stop();
    // What it has at that time is run again by who takes its place.
    let other = victim.gateway.call(Op::Evaluate, &["Pid"]).unwrap();
    assert_ne!(Process::known_as(&other), process);
    let replaced = "it had lost its connection to the proxy and did not end, and was ended";
    turn.peer().log().wait_for_line(turn.peer_mark, replaced, SOON).unwrap();
    assert_eq!(fates(&turn, &victim.package_id).answered, 0);
    assert_kept(&turn, &victim.package_id);
}

#[test]
fn of_two_processes_one_that_hangs_is_replaced_and_no_call_fails() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "two");
    victim.gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let mut two = Vec::new();
    let are_two = || {
        two = processes_of(&turn, &victim.package_id);
        two.len() == 2
    };
    assert!(wait_until(SOON, are_two), "{two:?}");

    let load = Load::begin(|| turn.gateway("two"));
    two[0].stop();
    // It is asked, and given up; the other one has done nothing to be replaced.
    let mut now = Vec::new();
    let is_another = || {
        now = processes_of(&turn, &victim.package_id);
        now.len() == 2 && now.contains(&two[1]) && !now.contains(&two[0])
    };
    assert!(wait_until(6 * SOON, is_another), "{two:?} -> {now:?}");
    load.assert_unharmed();
    assert_eq!(fates(&turn, &victim.package_id).answered, 0);
    assert_kept(&turn, &victim.package_id);
}

fn dies_by_itself(name: &str, function: &str, status: &str, last_words: &str) {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, name);
    let process = victim.process();
    let begun = Instant::now();
    let error = victim.gateway.call(Op::Evaluate, &[function]).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1), "answered after {:?}", begun.elapsed());
    assert!(error.contains("the chaincode's replica ended while it ran this"), "{error}");

    assert_ne!(victim.process(), process);

    let restarted = turn
        .peer()
        .log()
        .wait_for_line(turn.peer_mark, "the chaincode ended and is started again", SOON)
        .unwrap();
    for part in ["[chaincode.externalbuilder.selvedge]", status, last_words] {
        assert!(restarted.contains(part), "{part} is not in: {restarted}");
    }
    assert_kept(&turn, &victim.package_id);
}

/// What became of transactions whose replica died.
#[derive(Debug, PartialEq, Eq)]
struct Fates {
    answered: u64,
    run_again: u64,
}

/// The fates that the launcher has told of, for replicas of a package.
fn fates(turn: &Turn<'_>, package_id: &str) -> Fates {
    let lines = turn.launcher_lines();
    let gone = || {
        let is_its = |line: &&str| line.contains("replica is gone") && line.contains(package_id);
        lines.lines().filter(is_its)
    };
    let number = |line: &str, field: &str| -> Option<u64> {
        line.split(field).nth(1)?.split_whitespace().next()?.parse().ok()
    };
    let sum = |field: &str| gone().filter_map(|line| number(line, field)).sum();
    Fates { answered: sum("answered="), run_again: sum("run_again=") }
}

#[test]
fn one_that_keeps_dying_is_not_waited_for() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "dying");
    let refused = "no replica of the chaincode is running: it ended ";
    let mut error = String::new();
    let is_refused = || {
        error = victim.gateway.call(Op::Evaluate, &["Crash"]).unwrap_err();
        error.contains(refused)
    };
    assert!(wait_until(SOON, is_refused), "{error}");
    assert!(error.contains("exit status: 42"), "{error}");
    let is_back = || victim.gateway.call(Op::Evaluate, &["Pid"]).is_ok();
    assert!(wait_until(SOON, is_back), "it was given up");
    assert_kept(&turn, &victim.package_id);
}

#[test]
fn a_peer_that_stops_leaves_nothing_even_of_chaincode_that_ignores_it() {
    let turn = STAGE.enter();
    let stubborn = chaincode_dir("broken").join("stubborn");
    turn.deploy(&stubborn, &Definition::new("stubborn"));
    let mut gateway = turn.gateway("stubborn");
    assert_eq!(gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
    turn.peer().stop();
    let socket = Remains::of(&turn).socket;
    assert!(socket.is_some(), "the launcher has gone with the peer");
    assert_eq!(Remains::of(&turn), Remains { socket, ..Remains::default() });
    turn.peer().restart().unwrap();
    let mut gateway = turn.gateway("stubborn");
    assert_eq!(gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
}

#[test]
fn an_upgrade_replaces_the_process() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "upgraded");
    let process = victim.process();
    let package = turn.package(&chaincode_dir("ledger"), "upgraded_2.0");
    let first = ledger::definition("upgraded");
    let second = Definition { version: "2.0".into(), sequence: 2, ..first };
    let package_id = turn.network.deploy(&package, &second).unwrap();
    assert_ne!(victim.process(), process);
    let one_is_left = || processes_of(&turn, &victim.package_id).is_empty();
    assert!(wait_until(SOON, one_is_left), "the first version still runs");
    assert_eq!(processes_of(&turn, &package_id).len(), 1);
}

/// That the words by which the other tests tell that a link was lost are the peer's.
#[test]
fn a_link_that_is_lost_is_seen_as_lost() {
    let turn = STAGE.enter();
    let mut victim = Victim::deploy(&turn, "lost");
    victim.process();
    turn.launcher.restart().unwrap();
    let lost = format!("{LOST}{}", victim.package_id);
    turn.peer().log().wait_for_line(turn.peer_mark, &lost, SOON).unwrap();
    victim.process();
}
