//! A launch's time: what is not done within it fails the launch, and harms none that follows.

use std::fs;
use std::time::Duration;

use e2e::{Op, SharedStage, Stage, StageSpec, chaincode_dir, chaincode_processes};
use serde_json::json;
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::link::{SOON, watched};

/// What a launch on this stage may take.
const START_LIMIT: Duration = Duration::from_secs(15);

/// What a machine with much to do may need until a launch succeeds.
const IN_THE_END: Duration = Duration::from_mins(2);

static STAGE: SharedStage = SharedStage::new(|| {
    Stage::raise(&StageSpec {
        network: watched,
        settings: vec![("chaincode.timeouts.start", json!(format!("{}s", START_LIMIT.as_secs())))],
        ..StageSpec::new(Release::V3_1_1)
    })
});

#[test]
fn an_image_that_is_not_built_again_in_time_is_told_of_and_the_next_launch_succeeds() {
    let turn = STAGE.enter();
    let source = chaincode_dir("broken").join("foreign");
    turn.deploy(&source, &Definition::new("rebuilt"));
    turn.launcher.stop();
    fs::remove_dir_all(turn.launcher.dir().join("data/images")).unwrap();
    turn.launcher.restart().unwrap();

    let mut gateway = turn.gateway("rebuilt");
    let launch = gateway.start_call(Op::Evaluate, &["Ping"]);
    let mut compiler = Vec::new();
    let compiles = || {
        compiler = chaincode_processes(&turn);
        !compiler.is_empty()
    };
    assert!(wait_until(SOON, compiles), "nothing is compiled");
    compiler[0].stop();

    let error = launch.result().unwrap_err();
    let reason = "the image was not there within 15 s (chaincode.timeouts.start)";
    assert!(error.contains(reason), "{error}");
    turn.peer().log().wait_for_line(turn.peer_mark, reason, SOON).unwrap();
    assert!(wait_until(SOON, || chaincode_processes(&turn).is_empty()), "it is still compiled");

    let answers = || gateway.call(Op::Evaluate, &["Ping"]).as_deref() == Ok("pong");
    assert!(wait_until(IN_THE_END, answers), "{}", turn.peer_lines());
}
