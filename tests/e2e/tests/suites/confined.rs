//! Chaincode that looks around on its machine finds nothing of its neighbours, of the launcher, of the
//! peer and of their user, and reaches none of them.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use e2e::{Gateway, Op, Process, Turn, chaincode_dir, processes_of};
use testbed::Definition;
use testbed::process::wait_until;

use crate::link::SOON;
use crate::many::STAGE;

/// Chaincode that does what it is told to.
struct Prying {
    gateway: Gateway,
    process: Process,
}

impl Prying {
    fn deploy(turn: &Turn<'_>, name: &str) -> Self {
        let source = chaincode_dir("broken").join("prying");
        let package_id = turn.deploy(&source, &Definition::new(name));
        let mut gateway = turn.gateway(name);
        assert_eq!(gateway.call(Op::Evaluate, &["Ping"]).unwrap(), "pong");
        let mut process = None;
        let runs = || {
            process = processes_of(turn, &package_id).pop();
            process.is_some()
        };
        assert!(wait_until(SOON, runs), "{name} does not run");
        Self { gateway, process: process.unwrap() }
    }

    fn call(&mut self, function: &str, what: &str) -> String {
        self.gateway.call(Op::Evaluate, &[function, what]).unwrap()
    }

    /// It cannot, for one of these reasons.
    fn assert_refused(&mut self, function: &str, what: &str, reasons: &[&str]) {
        let told = self.call(function, what);
        let is_refused =
            told.starts_with("refused: ") && reasons.iter().any(|reason| told.contains(reason));
        assert!(is_refused, "{function} {what}: {told}");
    }

    fn variable(&self, name: &str) -> PathBuf {
        self.process.variable(name).into()
    }
}

/// What is not there, as far as it can see.
const ABSENT: &[&str] = &["no such file or directory"];
const NOBODY: &[&str] = &["no such process"];

fn text(path: &Path) -> &str {
    assert!(path.exists(), "{} is not there", path.display());
    path.to_str().unwrap()
}

#[test]
fn what_is_not_its_own_it_neither_finds_nor_reaches() {
    let turn = STAGE.enter();
    let neighbour = Prying::deploy(&turn, "neighbour");
    let mut prying = Prying::deploy(&turn, "prying");

    let own = prying.variable("CORE_TLS_CLIENT_KEY_FILE");
    assert!(prying.call("Read", text(&own)).contains("PRIVATE KEY"), "it has its own key");
    let temporary = prying.variable("TMPDIR").join("new");
    assert_eq!(prying.call("Write", temporary.to_str().unwrap()), "written");
    assert!(temporary.exists(), "what it wrote is in its own directory");

    let launcher = turn.launcher.dir();
    let data = launcher.join("data");
    let home = PathBuf::from(env::var_os("HOME").expect("whoever tests has a home"));
    let of_user = tempfile::NamedTempFile::new_in(home).unwrap();
    for path in [
        // Its neighbour's key, program and temporary files.
        &*neighbour.variable("CORE_TLS_CLIENT_KEY_FILE"),
        &neighbour.process.root(),
        &neighbour.variable("TMPDIR"),
        // What the launcher is told, what it keeps, and what it says.
        &launcher.join("selvedge.yaml"),
        &launcher.join("launcher.log"),
        &data.join("images/index.json"),
        &data.join("lock"),
        // What the peer has, its keys among it.
        turn.network.dir(),
        of_user.path(),
        Path::new("/etc/shadow"),
        Path::new("/var"),
    ] {
        prying.assert_refused("Read", text(path), ABSENT);
    }
    // Where its own place lies below a directory for temporary files, such as this stage's, it may make
    // files there that nobody else sees.
    for path in [data.join("images/index.json"), data.join("lock")] {
        let before = fs::metadata(&path).unwrap();
        prying.call("Write", text(&path));
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.ino(), after.ctime_nsec()), (before.ino(), before.ctime_nsec()));
    }
    // Of the directories above its own it sees the one way that leads there.
    let names = prying.call("Read", text(&data.join("tmp")));
    assert_eq!(names.lines().count(), 1, "{names}");

    let pids = [turn.launcher.pid(), turn.peer().pid(), neighbour.process.id().try_into().unwrap()];
    for pid in pids.map(|pid| pid.to_string()) {
        prying.assert_refused("Read", &format!("/proc/{pid}/environ"), ABSENT);
        prying.assert_refused("Read", &format!("/proc/{pid}/fd"), ABSENT);
        prying.assert_refused("Signal", &pid, NOBODY);
        prying.assert_refused("Trace", &pid, NOBODY);
    }
    prying.assert_refused("Connect", text(&launcher.join("launcher.sock")), ABSENT);
    for path in ["/new", "/usr/new", "/etc/passwd", "/proc/sys/kernel/hostname"] {
        prying.assert_refused("Write", path, &["read-only file system"]);
    }

    let status = prying.call("Read", "/proc/self/status");
    for line in ["NoNewPrivs:\t1", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = prying.call("Read", "/proc/self/limits");
    let cores = limits.lines().find(|line| line.starts_with("Max core file size"));
    assert_eq!(cores.unwrap().split_whitespace().nth(4), Some("0"), "{limits}");
}
