//! A guard, as the launcher's local backend uses it: when a program ends, or whoever had it started,
//! nothing is left of it, however it forked.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testbed::process::wait_until;

const SOON: Duration = Duration::from_secs(30);

/// Leaves processes behind in every way that a shell knows; `$1` is where each says that it runs.
const LEAVING: &str = r#"
    left='echo $$ > "$0/$$"; trap "" TERM HUP; while :; do sleep 1000; done'
    sh -c "$left" "$1" &
    setsid sh -c "$left" "$1" &
    (sh -c "$left" "$1" &)
    (setsid setsid sh -c "$left" "$1" &)
    (setsid sh -c "(setsid sh -c '$left' \"\$0\" &); $left" "$1" &)
    while [ "$(ls "$1" | wc -l)" -lt 6 ]; do sleep 0.01; done
"#;

/// A shell's script under guard.
struct Guarded {
    guard: Child,
    wishes: UnixStream,
    scratch: TempDir,
}

impl Guarded {
    fn start(script: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("left")).unwrap();
        let (wishes, heeded) = UnixStream::pair().unwrap();
        let guard = Command::new(env!("CARGO_BIN_EXE_selvedge-keeper"))
            .args(["guard", "sh", "-c", script, "script"])
            .arg(scratch.path().join("left"))
            // What all of its processes are known by.
            .env("GUARDED_IN", scratch.path())
            .stdin(OwnedFd::from(heeded))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { guard, wishes, scratch }
    }

    /// Whatever runs of the script, without the guard.
    fn processes(&self) -> Vec<PathBuf> {
        let name = format!("GUARDED_IN={}", self.scratch.path().display()).into_bytes();
        let is_of_it = |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == name)
        };
        let guard = Path::new("/proc").join(self.guard.id().to_string());
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        processes.filter(is_of_it).filter(|process| *process != guard).collect()
    }

    fn await_processes(&self, number: usize) {
        let all_run = || self.processes().len() >= number;
        assert!(wait_until(SOON, all_run), "{:?}", self.processes());
    }

    /// Waits for the guard's end; what it tells of the script's.
    fn end(&mut self) -> ExitStatus {
        let is_over = wait_until(SOON, || self.guard.try_wait().unwrap().is_some());
        assert!(is_over, "still there: {:?}", self.processes());
        let mut status = [0; 4];
        self.wishes.read_exact(&mut status).unwrap();
        ExitStatus::from_raw(i32::from_ne_bytes(status))
    }

    /// Nothing runs of the script now; not after a while.
    fn assert_nothing_left(&self) {
        assert_eq!(self.processes(), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_a_program_leaves_behind_ends_with_it() {
    let mut guarded = Guarded::start(&format!("{LEAVING} exit 3"));
    assert_eq!(guarded.end().code(), Some(3));
    guarded.assert_nothing_left();
    assert_eq!(fs::read_dir(guarded.scratch.path().join("left")).unwrap().count(), 6);
}

#[test]
fn what_a_killed_program_leaves_behind_ends_with_it() {
    let mut guarded = Guarded::start(&format!("{LEAVING} kill -KILL $$"));
    assert_eq!(guarded.end().signal(), Some(9));
    guarded.assert_nothing_left();
}

#[test]
fn a_program_is_asked_to_end_and_then_must() {
    let asked = r#"trap "exit 7" TERM; touch "$1/ready"; while :; do sleep 0.01; done"#;
    let mut guarded = Guarded::start(&format!("sh -c '{asked}' asked \"$1\"; exit $?"));
    let ready = guarded.scratch.path().join("left/ready");
    assert!(wait_until(SOON, || ready.exists()));
    guarded.wishes.write_all(b"t").unwrap();
    // Its group was asked, of which one heeds it; the script itself dies of it, as a shell does.
    assert_eq!(guarded.end().signal(), Some(15));
    guarded.assert_nothing_left();

    let mut stubborn = Guarded::start(r#"trap "" TERM; while :; do sleep 1000; done"#);
    stubborn.await_processes(2);
    stubborn.wishes.write_all(b"t").unwrap();
    stubborn.wishes.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stubborn.end().signal(), Some(9));
    stubborn.assert_nothing_left();
}

#[test]
fn everything_ends_with_the_launcher() {
    let Guarded { mut guard, wishes, scratch } = {
        let guarded = Guarded::start(&format!("{LEAVING} sleep 1000"));
        guarded.await_processes(7);
        guarded
    };
    drop(wishes);
    assert!(wait_until(SOON, || guard.try_wait().unwrap().is_some()));
    let (wishes, _) = UnixStream::pair().unwrap();
    Guarded { guard, wishes, scratch }.assert_nothing_left();
}

#[test]
fn a_program_that_forks_without_end_is_ended() {
    // Four at a time, for more would leave nobody else a processor. Each tells by itself that it
    // rages: to count its processes takes so long that they fill the machine meanwhile.
    let storms = [
        // What forks stays in the program's group; what it forks does not.
        r#"storm='[ $((depth += 1)) = 25 ] && : > "$rages"; setsid sleep 1000 & sh -c "$storm" &'
           depth=0 rages=$1/rages; export storm depth rages
           for each in 1 2 3 4; do sh -c "$storm" & done; sleep 1000"#,
        // Each process is of a session, and a group, of its own.
        r#"storm='[ $((depth += 1)) = 25 ] && : > "$rages"; sleep 1000 & setsid sh -c "$storm" &'
           depth=0 rages=$1/rages; export storm depth rages
           for each in 1 2 3 4; do setsid sh -c "$storm" & done; sleep 1000"#,
    ];
    for storm in storms {
        let mut guarded = Guarded::start(storm);
        let rages = guarded.scratch.path().join("left/rages");
        assert!(wait_until(SOON, || rages.exists()));
        guarded.wishes.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(guarded.end().signal(), Some(9));
        guarded.assert_nothing_left();
    }
}

#[test]
fn a_program_does_not_outlive_a_guard_that_is_killed() {
    let mut guarded = Guarded::start("exec sleep 1000");
    guarded.await_processes(1);
    kill_process(Pid::from_child(&guarded.guard), Signal::KILL).unwrap();
    guarded.guard.wait().unwrap();
    assert!(wait_until(SOON, || guarded.processes().is_empty()), "it still runs");
}
