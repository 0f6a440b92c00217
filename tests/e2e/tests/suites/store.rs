//! The image store: it keeps to its bound, what is gone from it is built again when it is called,
//! and whatever lies there, nothing else than what was built is run.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use e2e::{Op, SharedStage, Stage, StageSpec, Turn, chaincode_dir};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::ledger;
use crate::link::SOON;

/// Room for no image: only what must stay does.
static STAGE: SharedStage = SharedStage::new(|| {
    Stage::raise(&StageSpec {
        settings: vec![("builds.imagesLimit", json!("0"))],
        ..StageSpec::new(Release::V3_1_1)
    })
});

fn source(name: &str) -> PathBuf {
    chaincode_dir("broken").join(name)
}

fn ping(turn: &Turn<'_>, name: &str) {
    assert_eq!(turn.gateway(name).call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
}

/// The image that the peer keeps for a package, and those of the store.
fn image(turn: &Turn<'_>, package_id: &str) -> String {
    let kept = ledger::read(&turn.build_dir(package_id).join("bld/image.json"));
    let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    kept["digest"].as_str().unwrap().to_owned()
}

fn images(turn: &Turn<'_>) -> HashSet<String> {
    let index = ledger::read(&store(turn).join("index.json"));
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let listed = index["manifests"].as_array().unwrap().iter();
    // What is told of images is listed beside them.
    let images = listed.filter(|listed| listed.get("artifactType").is_none());
    images.map(|image| image["digest"].as_str().unwrap().to_owned()).collect()
}

fn store(turn: &Turn<'_>) -> PathBuf {
    turn.launcher.dir().join("data/images")
}

fn blobs(turn: &Turn<'_>) -> Vec<PathBuf> {
    let blobs = fs::read_dir(store(turn).join("blobs/sha256")).unwrap();
    blobs.map(|blob| blob.unwrap().path()).collect()
}

#[test]
fn what_runs_stays_and_what_is_gone_is_built_again_when_it_is_called() {
    let turn = STAGE.enter();
    let runs = turn.deploy(&source("foreign"), &Definition::new("foreign"));
    ping(&turn, "foreign");

    // Installed, and called by nobody yet: it makes room for the next one, what runs does not.
    let waits = Definition::new("leaving");
    let package = turn.package(&source("leaving"), "leaving_1.0");
    let waiting = turn.peer().install(&package).unwrap();
    let [runs, gone] = [&runs, &waiting].map(|package_id| image(&turn, package_id));
    assert_eq!(images(&turn), [runs.clone(), gone.clone()].into());
    let last = turn.peer().install(&turn.package(&source("exits"), "exits_1.0")).unwrap();
    assert_eq!(images(&turn), [runs.clone(), image(&turn, &last)].into());

    turn.peer().approve(&waiting, &waits).unwrap();
    turn.peer().commit(&waits).unwrap();
    ping(&turn, "leaving");
    let told = format!("image {gone} is gone or damaged, it is built again from the source");
    turn.peer().log().wait_for_line(turn.peer_mark, &told, SOON).unwrap();
    assert_eq!(images(&turn), [runs.clone(), gone.clone()].into());

    // Nothing runs when a launcher starts. It listens before it has looked around.
    turn.launcher.stop();
    turn.launcher.restart().unwrap();
    let is_empty = || images(&turn).is_empty() && blobs(&turn).is_empty();
    assert!(wait_until(SOON, is_empty), "{:?}", blobs(&turn));
    for name in ["foreign", "leaving"] {
        ping(&turn, name);
    }
    assert_eq!(images(&turn), [runs, gone].into());
}

/// As chaincode can, which has the launcher's user.
#[test]
fn whatever_lies_in_the_store_what_was_built_is_run() {
    let turn = ledger::STAGE.enter();
    let pid = || turn.gateway(ledger::NAME).call(Op::Evaluate, &["Pid"]).unwrap();
    pid();
    let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let huge = |path: &Path| File::create(path).unwrap().set_len(1 << 42).unwrap();
    let malformed = |path: &Path| fs::write(path, "{").unwrap();
    for (put, place) in [
        (&pipe as &dyn Fn(&Path), blobs(&turn)),
        (&huge, blobs(&turn)),
        (&malformed, vec![store(&turn).join("index.json")]),
        (&pipe, vec![store(&turn).join("index.json")]),
    ] {
        for path in place {
            fs::remove_file(&path).unwrap();
            put(&path);
        }
        let mark = turn.peer().log().mark();
        turn.peer().restart().unwrap();
        pid();
        let told = "is gone or damaged, it is built again from the source";
        turn.peer().log().wait_for_line(mark, told, SOON).unwrap();
    }
    assert_eq!(turn.launcher_lines().matches("compiling").count(), 4);
    assert!(!turn.peer_lines().contains("the toolchain has changed"));
}
