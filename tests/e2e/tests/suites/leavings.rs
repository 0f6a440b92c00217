//! What chaincode leaves behind goes with it: processes, however they forked, and files, whatever
//! their modes.

use std::path::PathBuf;

use e2e::{
    Op, Process, Remains, SharedStage, Stage, StageSpec, Turn, chaincode_dir, chaincode_processes,
};
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::link::SOON;

const NAME: &str = "leaving";

static STAGE: SharedStage = SharedStage::new(|| {
    let stage = Stage::raise(&StageSpec::new(Release::V3_1_1));
    stage.deploy(&chaincode_dir("broken").join("leaving"), &Definition::new(NAME));
    stage
});

fn call(turn: &Turn<'_>, function: &str) -> String {
    turn.gateway(NAME).call(Op::Evaluate, &[function]).unwrap()
}

/// Has the chaincode leave a process that is neither its child nor in its group or session.
fn left(turn: &Turn<'_>) -> Process {
    let left = Process::known_as(&call(turn, "Daemon"));
    assert!(chaincode_processes(turn).contains(&left), "it does not run");
    left
}

fn await_end(turn: &Turn<'_>, left: &Process) {
    let is_gone = || !chaincode_processes(turn).contains(left);
    assert!(wait_until(SOON, is_gone), "{left:?} is left: {:?}", chaincode_processes(turn));
}

#[test]
fn a_process_that_forked_away_ends_with_its_chaincode() {
    let turn = STAGE.enter();
    let left = left(&turn);
    let mut others = chaincode_processes(&turn);
    others.retain(|process| *process != left);
    assert_eq!(others.len(), 1, "{others:?}");
    others[0].kill();
    await_end(&turn, &left);
    assert_eq!(call(&turn, "Ping"), "pong");
}

#[test]
fn a_process_that_forked_away_ends_with_the_run() {
    let turn = STAGE.enter();
    let left = left(&turn);
    turn.peer().stop();
    await_end(&turn, &left);
    turn.peer().restart().unwrap();
    assert_eq!(call(&turn, "Ping"), "pong");
}

#[test]
fn a_process_that_forked_away_ends_with_a_launcher_that_is_killed() {
    let turn = STAGE.enter();
    let left = left(&turn);
    turn.launcher.kill();
    await_end(&turn, &left);
    turn.launcher.restart().unwrap();
    assert_eq!(call(&turn, "Ping"), "pong");
}

#[test]
fn a_directory_that_was_closed_goes_with_its_chaincode() {
    let turn = STAGE.enter();
    let closed = PathBuf::from(call(&turn, "Close"));
    assert!(closed.exists());
    turn.launcher.stop();
    assert_eq!(Remains::of(&turn), Remains::default());
    turn.launcher.restart().unwrap();
    assert_eq!(call(&turn, "Ping"), "pong");
}

#[test]
fn a_directory_that_was_closed_keeps_no_launcher_from_starting() {
    let turn = STAGE.enter();
    let closed = PathBuf::from(call(&turn, "Close"));
    turn.launcher.kill();
    assert!(wait_until(SOON, || chaincode_processes(&turn).is_empty()), "the chaincode runs on");
    assert!(closed.exists(), "who cleared it?");
    turn.launcher.restart().unwrap();
    // It listens before it has looked around.
    assert!(wait_until(SOON, || !closed.exists()), "{} is left", closed.display());
    assert_eq!(call(&turn, "Ping"), "pong");
}
