//! Raises real networks and looks at what is there while they run and after.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::process::wait_until;
use testbed::{Binaries, ExternalBuilder, Network, NetworkSpec, PeerSpec, Release};

const LIMIT: Duration = Duration::from_secs(30);

fn start(release: Release, msp_ids: &[&str]) -> Network {
    let binaries = Binaries::obtain(release, &mut |line| eprintln!("{line}")).unwrap();
    // Nothing is installed here: a builder that is not there is asked for nothing.
    let builder = ExternalBuilder::selvedge("/nonexistent".as_ref());
    let peers = msp_ids.iter().map(|msp_id| PeerSpec::new(msp_id, builder.clone()));
    let spec = NetworkSpec::new(peers.collect());
    Network::start(&binaries, &spec).unwrap_or_else(|error| panic!("{error}"))
}

/// Every process that works in `dir` or was started with it.
fn processes_in(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|process| {
            let cwd = fs::read_link(process.join("cwd"));
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            cwd.is_ok_and(|cwd| cwd.starts_with(dir))
                || String::from_utf8_lossy(&line).contains(&*dir.to_string_lossy())
        })
        .collect()
}

fn is_gone(dir: &Path) -> bool {
    !dir.exists() && processes_in(dir).is_empty()
}

fn blocks(network: &Network, msp_id: &str) -> String {
    let arguments = ["channel", "getinfo", "-c", network.channel()].map(str::to_owned);
    let output = network.peer(msp_id).cli(&arguments, LIMIT).unwrap();
    output.stdout
}

/// A peer that serves the channel, also after a restart and a crash; nothing left when dropped.
fn serves_restarts_and_ends(release: Release, msp_ids: &[&str]) {
    let network = start(release, msp_ids);
    let dir = network.dir().to_owned();
    // The janitor, and for each server its supervisor, the supervisor's watcher, and itself.
    assert!(processes_in(&dir).len() > 3 * msp_ids.len());

    for msp_id in msp_ids {
        let peer = network.peer(msp_id);
        assert!(blocks(&network, msp_id).contains("\"height\":1"));
        assert_eq!(peer.query_installed().unwrap(), []);

        let mark = peer.log().mark();
        let before = peer.pid();
        peer.restart().unwrap();
        assert_ne!(peer.pid(), before);
        assert!(peer.log().since(mark).contains("Started peer with ID"));
        assert!(blocks(&network, msp_id).contains("\"height\":1"));

        peer.kill();
        let refused = peer.query_installed().unwrap_err();
        assert!(refused.stderr().contains("connection refused"), "{refused}");
        peer.restart().unwrap();
        assert!(blocks(&network, msp_id).contains("\"height\":1"));
    }

    drop(network);
    assert!(!dir.exists());
    // Who watched the last of them has yet to see that there is nothing left to watch.
    assert!(wait_until(LIMIT, || is_gone(&dir)), "still there: {:?}", processes_in(&dir));
}

#[test]
fn v3_1_1_with_one_organisation() {
    serves_restarts_and_ends(Release::V3_1_1, &["Org1MSP"]);
}

#[test]
fn v3_1_1_with_two_organisations() {
    serves_restarts_and_ends(Release::V3_1_1, &["Org1MSP", "Org2MSP"]);
}

#[test]
fn v2_5_0_with_one_organisation() {
    serves_restarts_and_ends(Release::V2_5_0, &["Org1MSP"]);
}

#[test]
fn v2_5_0_with_two_organisations() {
    serves_restarts_and_ends(Release::V2_5_0, &["Org1MSP", "Org2MSP"]);
}

#[test]
fn a_refused_call_shows_the_peers_words_and_the_logs() {
    let network = start(Release::V3_1_1, &["Org1MSP"]);
    let error = network.peer("Org1MSP").query("nowhere", r#"{"Args":["Get","k"]}"#).unwrap_err();
    let text = error.to_string();
    for part in ["peer chaincode query", "chaincode nowhere not found", "org1.log", "orderer.log"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn a_kept_network_lives_on_until_its_janitor_is_told() {
    let network = start(Release::V3_1_1, &["Org1MSP"]);
    let dir = network.dir().to_owned();
    let janitor = network.keep();
    assert!(dir.exists());
    assert!(processes_in(&dir).len() > 3);

    let status = Command::new("kill").arg(janitor.to_string()).status();
    assert!(status.unwrap().success());
    assert!(wait_until(LIMIT, || is_gone(&dir)));
}

/// Not a test of its own: the harness that the next test kills. Waits to be killed.
#[test]
fn victim() {
    if let Ok(file) = std::env::var("TESTBED_VICTIM") {
        let network = start(Release::V3_1_1, &["Org1MSP"]);
        fs::write(file, network.dir().to_string_lossy().as_bytes()).unwrap();
        std::thread::park();
    }
}

#[test]
fn nothing_outlives_a_harness_that_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("dir");
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim"])
        .env("TESTBED_VICTIM", &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let written = || fs::read_to_string(&file).is_ok_and(|dir| !dir.is_empty());
    assert!(wait_until(Duration::from_mins(1), written));
    let dir = PathBuf::from(fs::read_to_string(&file).unwrap());
    assert!(!is_gone(&dir));

    harness.kill().unwrap();
    harness.wait().unwrap();
    assert!(wait_until(LIMIT, || is_gone(&dir)), "still there: {:?}", processes_in(&dir));
}
