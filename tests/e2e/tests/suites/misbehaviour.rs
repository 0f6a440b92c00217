//! Chaincode that does not do what it should: the reason is told, and only it suffers.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use e2e::{Gateway, Op, SharedStage, Stage, StageSpec, Turn, chaincode_dir, processes_of};
use serde_json::json;
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::link::{SOON, assert_kept, watched};

/// What a chaincode on this stage may take to register.
const START_LIMIT: Duration = Duration::from_secs(3);

static STAGE: SharedStage = SharedStage::new(|| {
    Stage::raise(&StageSpec {
        network: watched,
        settings: vec![("chaincode.timeouts.start", json!(format!("{}s", START_LIMIT.as_secs())))],
        ..StageSpec::new(Release::V3_1_1)
    })
});

fn source(name: &str) -> PathBuf {
    chaincode_dir("broken").join(name)
}

/// Calls a chaincode that cannot be launched; what the client is told, and how long it took.
fn failed_launch(turn: &Turn<'_>, name: &str) -> (String, Duration) {
    let mut gateway = turn.gateway(name);
    let begun = Instant::now();
    let error = gateway.call(Op::Evaluate, &["Ping"]).unwrap_err();
    (error, begun.elapsed())
}

/// The client is told all the parts.
fn assert_told(error: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

/// The peer's log has a line of Selvedge's with all the parts.
fn await_told(turn: &Turn<'_>, parts: &[&str]) {
    let told = |line: &str| {
        line.contains("[chaincode.externalbuilder.selvedge]")
            && parts.iter().all(|part| line.contains(part))
    };
    let wanted = parts.join("…");
    turn.peer().log().wait_for(turn.peer_mark, &wanted, SOON, told).unwrap();
}

#[test]
fn one_that_exits_at_once_fails_its_launch_with_its_last_lines() {
    let turn = STAGE.enter();
    turn.deploy(&source("exits"), &Definition::new("exits"));
    let (error, took) = failed_launch(&turn, "exits");
    assert!(took < Duration::from_secs(2), "the launch failed after {took:?}");
    let last_lines = "exits: the configuration is missing | exits: giving up with status 3";
    let reason = ["ended before it registered", "exit status: 3", last_lines];
    assert_told(&error, &reason);
    await_told(&turn, &reason);
}

#[test]
fn one_that_cannot_be_started_is_refused_with_the_reason_and_starts_later() {
    let turn = STAGE.enter();
    turn.deploy(&chaincode_dir("broken").join("stubborn"), &Definition::new("unwritten"));
    let files = turn.launcher.dir().join("data/tmp");
    let away = files.with_extension("away");
    fs::rename(&files, &away).unwrap();
    fs::write(&files, "no directory").unwrap();
    let (error, _) = failed_launch(&turn, "unwritten");
    let reason = ["cannot write the chaincode's files", "Not a directory"];
    assert_told(&error, &reason);
    await_told(&turn, &reason);
    fs::remove_file(&files).unwrap();
    fs::rename(&away, &files).unwrap();
    assert_eq!(turn.gateway("unwritten").call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
}

#[test]
fn one_that_never_registers_is_ended_when_its_time_is_over() {
    let turn = STAGE.enter();
    let package_id = turn.deploy(&source("silent"), &Definition::new("silent"));
    let (error, took) = failed_launch(&turn, "silent");
    assert!(took < START_LIMIT + Duration::from_secs(3), "the launch failed after {took:?}");
    let reason = ["the chaincode did not register within 3 s (chaincode.timeouts.start)"];
    assert_told(&error, &reason);
    await_told(&turn, &reason);
    assert!(wait_until(SOON, || processes_of(&turn, &package_id).is_empty()), "it still runs");
}

#[test]
fn one_that_registers_anothers_package_id_is_refused() {
    let turn = STAGE.enter();
    let package_id = turn.deploy(&source("impostor"), &Definition::new("impostor"));
    let victim = fs::read_to_string(source("impostor/victim.txt")).unwrap();
    let (error, _) = failed_launch(&turn, "impostor");
    let reason = ["it registered as", victim.trim(), "certificate is for", &package_id];
    assert_told(&error, &reason);
    await_told(&turn, &reason);
}

/// Chaincode that is sound until it is told to break the protocol.
struct Offender<'a> {
    turn: &'a Turn<'a>,
    package_id: String,
    gateway: Gateway,
}

impl<'a> Offender<'a> {
    fn deploy(turn: &'a Turn<'a>, program: &str, name: &str) -> Self {
        let package_id = turn.deploy(&source(program), &Definition::new(name));
        let mut gateway = turn.gateway(name);
        assert_eq!(gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
        Self { turn, package_id, gateway }
    }

    /// Has it break the protocol: the client gets the reason, so does the peer's log where
    /// the proxy cuts it off, and the next call is answered over the same link.
    fn breaks(&mut self, call: &[&str], reason: &str) {
        let error = self.gateway.call(Op::Evaluate, call).unwrap_err();
        assert!(error.contains(reason), "{call:?}: {error}");
        assert_eq!(self.gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong", "after {call:?}");
        assert_kept(self.turn, &self.package_id);
    }
}

#[test]
fn messages_of_an_illegal_type_cost_the_replica_and_not_the_link() {
    let turn = STAGE.enter();
    // Two each: after a third end in a row a chaincode is given seconds to recover.
    let types = [
        ["REGISTER", "REGISTERED"],
        ["READY", "INIT"],
        ["TRANSACTION", "RESPONSE"],
        ["UNDEFINED", "999"],
    ];
    for (number, types) in types.iter().enumerate() {
        let mut illegal = Offender::deploy(&turn, "illegal", &format!("illegal{number}"));
        for kind in types {
            let reason = format!("it sent a message of type {kind}, which a chaincode must not");
            illegal.breaks(&["Illegal", kind], &reason);
            await_told(&turn, &["the chaincode's replica was cut off", &reason]);
        }
    }
}

#[test]
fn a_field_that_nobody_knows_is_no_offence() {
    let turn = STAGE.enter();
    let mut future = Offender::deploy(&turn, "illegal", "future");
    assert_eq!(future.gateway.call(Op::Evaluate, &["Unknown"]).unwrap(), "pong");
    assert_kept(&turn, &future.package_id);
}

#[test]
fn messages_for_a_foreign_transaction_go_nowhere() {
    let turn = STAGE.enter();
    let mut foreign = Offender::deploy(&turn, "foreign", "foreign");
    for (function, said) in [("PutState", "sent PUT_STATE"), ("Completed", "sent COMPLETED")] {
        assert_eq!(foreign.gateway.call(Op::Evaluate, &[function]).unwrap(), said);
        assert_eq!(foreign.gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
    }
    assert_kept(&turn, &foreign.package_id);
}

#[test]
fn half_a_message_costs_the_replica_and_not_the_link() {
    let turn = STAGE.enter();
    let ended = "the chaincode's replica ended while it ran this transaction";
    // One each: two processes are lost, since the first one's end is no breach.
    for end in ["end", "cut"] {
        let mut half = Offender::deploy(&turn, "halfframe", end);
        half.breaks(&["Half", end], &format!("{ended} (and it was run again already): "));
    }
    let mut whole = Offender::deploy(&turn, "halfframe", "whole");
    whole.breaks(&["Huge"], ended);
    let garbage = format!("{ended} (it might do so again): it broke the protocol: not a chaincode");
    whole.breaks(&["Garbage"], &garbage);
}

#[test]
fn half_a_message_that_is_never_ended_is_filled_by_the_next_ones() {
    let turn = STAGE.enter();
    let mut hanging = Offender::deploy(&turn, "halfframe", "hanging");
    let half = hanging.gateway.start_call(Op::Evaluate, &["Half", "hang"]);
    // What the process says next is the rest of that message, until it is whole and wrong.
    let mut outcome = None;
    let cut_off = || {
        drop(hanging.gateway.start_call(Op::Evaluate, &["Ping"]));
        outcome = half.try_result();
        outcome.is_some()
    };
    assert!(wait_until(SOON, cut_off), "the half is never filled");
    let error = outcome.unwrap().unwrap_err();
    assert!(error.contains("the chaincode's replica ended while it ran this"), "{error}");
    assert_eq!(hanging.gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
    assert_kept(&turn, &hanging.package_id);
}
