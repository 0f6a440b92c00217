//! A launcher that runs lets no other process of its user look into it.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use testbed::process::wait_until;
use testbed::unprivileged;

const SOON: Duration = Duration::from_secs(30);

/// A command as any user's: root may look into everything.
fn as_a_user(program: &str, arguments: Vec<OsString>) -> Command {
    let (program, arguments) = unprivileged(Path::new(program), arguments);
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Whether another process of its user can read this of it.
    fn tells(&self, name: &str) -> bool {
        let path = format!("/proc/{}/{name}", self.0.id());
        as_a_user("head", vec!["-c1".into(), path.into()]).output().unwrap().status.success()
    }
}

#[test]
fn nobody_reads_its_environment_or_memory() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let mut listen = OsString::from("unix:");
    listen.push(at("launcher.sock"));
    let program = env!("CARGO_BIN_EXE_selvedge-launcher");
    let arguments = vec!["--listen".into(), listen, "--data-dir".into(), at("data").into()];
    let mut launcher = as_a_user(program, arguments);
    // None of this machine's.
    launcher.env("SELVEDGE_CONFIG", "");
    let launcher = Running(launcher.spawn().unwrap());
    let socket = at("launcher.sock");
    let listens = || UnixStream::connect(Path::new(&socket)).is_ok();
    assert!(wait_until(SOON, listens), "the launcher does not listen");

    let other = Running(as_a_user("sleep", vec!["600".into()]).spawn().unwrap());
    assert!(wait_until(SOON, || other.tells("environ")), "nothing can be read of any process");
    for name in ["environ", "maps", "auxv"] {
        assert!(!launcher.tells(name), "{name}");
    }
}
