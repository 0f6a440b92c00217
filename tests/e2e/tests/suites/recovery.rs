//! Peer and launcher stop, are killed and come back: the next call succeeds without a
//! person, nothing is built again, nothing is left behind.

use std::fs;

use e2e::{Op, Remains, Turn, chaincode_processes, run_processes};
use testbed::process::wait_until;

use crate::ledger::{self, STAGE};
use crate::link::{LAUNCH_FAILED, SOON};

/// Resident memory of a `run` that waits, in KiB.
const RUN_LIMIT: u64 = 4096;

fn get(turn: &Turn<'_>) -> Result<String, String> {
    turn.gateway(ledger::NAME).call(Op::Evaluate, &["Get", "kept"])
}

fn enter() -> Turn<'static> {
    let turn = STAGE.enter();
    turn.gateway(ledger::NAME).call(Op::Submit, &["Put", "kept", "safe"]).unwrap();
    turn
}

/// The first call after a trouble succeeds, nothing was compiled for it, and there is one of
/// everything.
fn assert_recovered(turn: &Turn<'_>) {
    assert_eq!(get(turn).unwrap(), "safe");
    let lines = turn.launcher_lines();
    assert!(!lines.contains("compiling"), "{lines}");
    let one_of_each = || {
        let remains = Remains::of(turn);
        let files = [&remains.launcher_files, &remains.peer_files];
        remains.chaincode.len() == 1
            && remains.run.len() == 1
            && files.iter().all(|files| files.len() == 1)
    };
    assert!(wait_until(SOON, one_of_each), "{:?}", Remains::of(turn));
}

#[test]
fn a_waiting_run_needs_little_memory() {
    let turn = enter();
    let runs = run_processes(&turn);
    assert_eq!(runs.len(), 1);
    let resident = runs[0].resident_kib();
    assert!(resident <= RUN_LIMIT, "run has {resident} KiB resident");
}

#[test]
fn a_peer_that_restarts_runs_what_was_built() {
    let turn = enter();
    turn.peer().restart().unwrap();
    assert_recovered(&turn);
}

#[test]
fn a_peer_that_is_killed_runs_what_was_built() {
    let turn = enter();
    turn.peer().kill();
    assert!(wait_until(SOON, || Remains::of(&turn).run.is_empty()), "{:?}", Remains::of(&turn));
    assert!(wait_until(SOON, || chaincode_processes(&turn).is_empty()), "the chaincode runs on");
    // What a killed peer leaves in its temporary directory is its own.
    for left in Remains::of(&turn).peer_files {
        fs::remove_dir_all(left).unwrap();
    }
    turn.peer().restart().unwrap();
    assert_recovered(&turn);
}

#[test]
fn a_launcher_that_stops_leaves_nothing_and_goes_on_when_started() {
    let turn = enter();
    turn.launcher.stop();
    assert!(
        wait_until(SOON, || Remains::of(&turn) == Remains::default()),
        "{:?}",
        Remains::of(&turn)
    );
    let error = get(&turn).unwrap_err();
    assert!(error.contains(LAUNCH_FAILED), "{error}");
    let told = format!("no launcher at {}", turn.launcher.address());
    turn.peer().log().wait_for_line(turn.peer_mark, &told, SOON).unwrap();

    turn.launcher.restart().unwrap();
    assert_recovered(&turn);
}

#[test]
fn a_launcher_that_is_killed_takes_its_chaincode_along_and_goes_on_when_started() {
    let turn = enter();
    turn.launcher.kill();
    assert!(wait_until(SOON, || chaincode_processes(&turn).is_empty()), "the chaincode runs on");
    assert!(wait_until(SOON, || run_processes(&turn).is_empty()), "run waits for nobody");
    turn.launcher.restart().unwrap();
    assert_recovered(&turn);
}

#[test]
fn images_that_were_deleted_are_built_again_from_what_the_peer_kept() {
    let turn = enter();
    turn.launcher.stop();
    fs::remove_dir_all(turn.launcher.dir().join("data/images")).unwrap();
    turn.launcher.restart().unwrap();

    assert_eq!(get(&turn).unwrap(), "safe");
    assert_eq!(turn.launcher_lines().matches("compiling").count(), 1);
    turn.peer()
        .log()
        .wait_for_line(
            turn.peer_mark,
            "is gone or damaged, it is built again from the source",
            SOON,
        )
        .unwrap();
    let differs = "the toolchain has changed";
    assert!(!turn.peer_lines().contains(differs), "{}", turn.peer_lines());
}

/// As chaincode can, which has the launcher's user.
#[test]
fn an_image_that_was_rewritten_is_noticed_and_built_again() {
    let turn = enter();
    let blobs = fs::read_dir(turn.launcher.dir().join("data/images/blobs/sha256")).unwrap();
    let blobs = blobs.map(|blob| blob.unwrap().path());
    // The layer with the program.
    let program = blobs.max_by_key(|blob| fs::metadata(blob).unwrap().len()).unwrap();
    let sound = fs::read(&program).unwrap();
    let mut rewritten = sound.clone();
    let middle = rewritten.len() / 2;
    rewritten[middle] ^= 1;
    fs::write(&program, rewritten).unwrap();
    turn.peer().restart().unwrap();

    assert_eq!(get(&turn).unwrap(), "safe");
    let lines = turn.launcher_lines();
    assert!(lines.contains("image is damaged"), "{lines}");
    assert_eq!(lines.matches("compiling").count(), 1, "{lines}");
    let told = "is gone or damaged, it is built again from the source";
    turn.peer().log().wait_for_line(turn.peer_mark, told, SOON).unwrap();
    assert!(fs::read(&program).unwrap() == sound, "the image is not the one that it was");
}
