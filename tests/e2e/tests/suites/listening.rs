//! Go chaincode that listens for its peer, unchanged, as a package of type golang: it is dialled,
//! and dialled again when its process has died, and the peer notices nothing.

use std::fs;
use std::path::Path;

use e2e::{Op, Process, Turn, chaincode_dir, processes_of};
use tempfile::TempDir;
use testbed::Definition;

use crate::link::{SOON, assert_kept};
use crate::releases::V3_1_1;

/// The tests' chaincode server, which has TLS by the variables of Fabric's samples, with these names
/// for them.
fn server_with(variable: &str) -> TempDir {
    let (server, copy) = (chaincode_dir("server"), tempfile::tempdir().unwrap());
    for name in ["go.mod", "go.sum", "main.go"] {
        let text = fs::read_to_string(server.join(name)).unwrap();
        fs::write(copy.path().join(name), text.replace("CHAINCODE_TLS_KEY", variable)).unwrap();
    }
    copy
}

/// Deploys it, kills it, and goes on.
fn outlives_its_process(turn: &Turn<'_>, name: &str, source: &Path, tls: bool) {
    let package_id = turn.deploy(source, &Definition::new(name));
    let mut gateway = turn.gateway(name);
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let own = processes_of(turn, &package_id);
    let disabled = format!("CHAINCODE_TLS_DISABLED={}\n", !tls);
    assert!(own[0].environment().contains(&disabled), "{}", own[0].environment());
    for _ in 0..2 {
        let process = Process::known_as(&gateway.call(Op::Evaluate, &["Pid"]).unwrap());
        let log = turn.launcher.log();
        let mark = log.mark();
        process.kill();
        // What is given to it before that is known fails with it.
        log.wait_for_line(mark, "replica is gone", SOON).unwrap();
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        assert_ne!(Process::known_as(&gateway.call(Op::Evaluate, &["Pid"]).unwrap()), process);
    }
    assert_kept(turn, &package_id);
}

#[test]
fn a_server_with_tls_outlives_its_process() {
    outlives_its_process(&V3_1_1.enter(), "listening", &chaincode_dir("server"), true);
}

#[test]
fn a_server_that_knows_no_tls_outlives_its_process() {
    let source = server_with("ANOTHER_KEY");
    outlives_its_process(&V3_1_1.enter(), "plainly", source.path(), false);
}
