//! Chaincode that has others keep as much for it as they will: the launcher's memory has a bound,
//! and its neighbours go on.

use std::env;
use std::time::{Duration, Instant};

use e2e::{Gateway, Op, Process, Turn, chaincode_dir};
use testbed::Definition;
use testbed::process::wait_until;

use crate::releases;

/// What the launcher may need beyond what it needs at rest, in KiB.
const BOUND: u64 = 256 << 10;

/// How long the chaincode does its worst, in seconds, unless the environment says so.
const SECONDS: u64 = 12;

/// One call of it, which has to end before the peer gives it up.
const CALL: Duration = Duration::from_secs(4);

#[test]
fn answers_that_nobody_reads_do_not_fill_the_launcher() {
    let turn = releases::V3_1_1.enter();
    let mut gateway = greedy(&turn, "gorging");
    gateway.call(Op::Submit, &["Store", "large", &(10 << 20).to_string()]).unwrap();
    let milliseconds = CALL.as_millis().to_string();
    assert_bounded(&turn, gateway, &[&["Gorge", "large", &milliseconds]]);
}

#[test]
fn messages_that_never_end_do_not_fill_the_launcher() {
    let turn = releases::V3_1_1.enter();
    let gateway = greedy(&turn, "swelling");
    assert_bounded(
        &turn,
        gateway,
        &[&["Swell", "8", "unregistered"], &["Swell", "8", "registered"]],
    );
}

fn greedy(turn: &Turn<'_>, name: &str) -> Gateway {
    turn.deploy(&chaincode_dir("broken").join("greedy"), &Definition::new(name));
    let mut gateway = turn.gateway(name);
    assert_eq!(gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
    gateway
}

/// Makes the calls in turn for as long as it is to last; the launcher stays within its bound.
fn assert_bounded(turn: &Turn<'_>, mut gateway: Gateway, calls: &[&[&str]]) {
    let launcher = Process::with_pid(&turn.launcher.pid().to_string());
    let resting = launcher.resident_kib();
    let mut most = resting;
    let mut is_over = || {
        most = most.max(launcher.resident_kib());
        most > resting + BOUND
    };
    let end = Instant::now() + lasting();
    for call in calls.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        // Whatever becomes of it: it may have been cut off, or have nobody to listen to it.
        drop(gateway.start_call(Op::Evaluate, call));
        if wait_until(CALL, &mut is_over) {
            // Before it takes the whole machine.
            turn.launcher.kill();
            panic!("the launcher has {most} KiB, it had {resting} KiB at rest");
        }
    }
    eprintln!("the launcher had {resting} KiB at rest, {most} KiB at most");
    turn.gateway("ledger").call(Op::Evaluate, &["Pid"]).unwrap();
}

fn lasting() -> Duration {
    let seconds = env::var("SELVEDGE_WORST_SECONDS").map(|text| text.parse().expect("a number"));
    Duration::from_secs(seconds.unwrap_or(SECONDS))
}
