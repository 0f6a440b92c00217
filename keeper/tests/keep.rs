//! A keeper, as the first process of a chaincode's container: what it starts is there again at once,
//! with nothing left of what was, and ends when the container is to.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use selvedge_keeper::report::{End, PREFIX, Report};
use tempfile::TempDir;
use testbed::process::wait_until;

#[path = "keep/ending.rs"]
mod ending;
#[path = "keep/line.rs"]
mod line;
#[path = "keep/on_demand.rs"]
mod on_demand;
#[path = "keep/orders.rs"]
mod orders;

const SOON: Duration = Duration::from_secs(30);

/// Counts its starts in the directory `$1`.
const COUNT: &str = r#"echo >> "$1/starts"; starts="$(wc -l < "$1/starts")";"#;

/// A shell's script with a keeper.
struct Kept {
    keeper: Child,
    said: BufReader<ChildStderr>,
    scratch: TempDir,
}

impl Kept {
    fn start(script: &str) -> Self {
        Self::start_with(&[], script)
    }

    /// With options of the keeper's.
    fn start_with(options: &[&str], script: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut keeper = Command::new(env!("CARGO_BIN_EXE_selvedge-keeper"))
            .arg("keep")
            .args(options)
            .args(["sh", "-c", &format!("{COUNT} {script}"), "script"])
            .arg(scratch.path())
            // What all of its processes are known by.
            .env("KEPT_IN", scratch.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(keeper.stderr.take().unwrap());
        Self { keeper, said, scratch }
    }

    /// The next line on standard error.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn report(&mut self) -> Report {
        let line = self.line();
        Report::read(&line).unwrap_or_else(|| panic!("no report: {line}"))
    }

    fn await_file(&self, name: &str) {
        let file = self.scratch.path().join(name);
        assert!(wait_until(SOON, || file.exists()), "no {name}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.keeper), signal).unwrap();
    }

    /// How often it was started.
    fn starts(&self) -> usize {
        let starts = fs::read_to_string(self.scratch.path().join("starts"));
        starts.unwrap_or_default().lines().count()
    }

    /// Whatever runs of the script, without the keeper.
    fn processes(&self) -> Vec<PathBuf> {
        let name = format!("KEPT_IN={}", self.scratch.path().display()).into_bytes();
        let is_of_it = |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == name)
        };
        let keeper = Path::new("/proc").join(self.keeper.id().to_string());
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        processes.filter(is_of_it).filter(|process| *process != keeper).collect()
    }

    fn end(&mut self) -> ExitStatus {
        let is_over = wait_until(SOON, || self.keeper.try_wait().unwrap().is_some());
        assert!(is_over, "still there: {:?}", self.processes());
        assert_eq!(self.processes(), Vec::<PathBuf>::new());
        self.keeper.wait().unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.keeper.kill();
        for process in self.processes() {
            let id = process.file_name().and_then(|name| name.to_str()?.parse().ok());
            let _ = id.and_then(Pid::from_raw).map(|id| kill_process(id, Signal::KILL));
        }
    }
}

#[test]
fn what_ends_is_started_again_and_each_end_is_told_behind_its_last_lines() {
    let mut kept = Kept::start(
        r#"case "$starts" in
            1) echo "no configuration" >&2; exit 3;;
            2) kill -KILL $$;;
            3) exit 0;;
        esac
        : > "$1/runs"; exec sleep 1000"#,
    );
    assert_eq!(kept.line(), "no configuration");
    let report = |end, row, delay| Report { end, row, delay: Some(Duration::from_millis(delay)) };
    assert_eq!(kept.report(), report(End::Exited(3), 1, 0));
    assert_eq!(kept.report(), report(End::Signalled(9), 2, 100));
    assert_eq!(kept.report(), report(End::Exited(0), 3, 200));
    kept.await_file("runs");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(128 + 15));
    assert_eq!(kept.line(), "", "an end that was asked for is nothing to tell of");
}

#[test]
fn what_one_leaves_behind_is_gone_before_the_next_starts() {
    let mut kept = Kept::start(
        r#"left='echo > "$0/left-$$"; trap "" TERM HUP; while :; do sleep 1000; done'
        if [ "$starts" = 1 ]; then
            sh -c "$left" "$1" &
            (setsid sh -c "$left" "$1" &)
            (setsid setsid sh -c "$left" "$1" &)
            while [ "$(ls "$1"/left-* | wc -l)" -lt 3 ]; do sleep 0.01; done
            exit 1
        fi
        : > "$1/runs"; exec sleep 1000"#,
    );
    while kept.line().is_empty() {}
    kept.await_file("runs");
    assert_eq!(kept.processes().len(), 1, "{:?}", kept.processes());
    kept.signal(Signal::TERM);
    kept.end();
}

#[test]
fn a_container_that_is_to_end_has_its_chaincode_asked_and_ends_as_that_does() {
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::QUIT, "QUIT")] {
        let mut kept = Kept::start(&format!(
            r#"trap 'touch "$1/asked"; exit 7' {name}; touch "$1/runs"; while :; do sleep 0.01; done"#
        ));
        kept.await_file("runs");
        kept.signal(signal);
        assert_eq!(kept.end().code(), Some(7), "{name}");
        kept.await_file("asked");
    }
}

#[test]
fn one_that_waits_for_its_next_start_is_not_started_when_the_container_is_to_end() {
    let mut kept = Kept::start("exit 5");
    while kept.report().row < 8 {}
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(5));
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn nothing_is_started_before_the_proxy_can_be_reached_or_after_it_cannot() {
    let way = nowhere();
    let mut kept = Kept::start_with(
        &[&format!("--proxy={way}")],
        r#"[ -e "$1/open" ] || touch "$1/too-soon"; touch "$1/runs"; exec sleep 1000"#,
    );
    let pid = kept.keeper.id();
    // It tries again and again: its thread that does has no other reason to sleep and to wake.
    let switches = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = switches();
    assert!(wait_until(SOON, || switches() > before + 3), "it waits for nothing");
    fs::write(kept.scratch.path().join("open"), "").unwrap();
    let proxy = TcpListener::bind(way).unwrap();
    kept.await_file("runs");
    assert!(!kept.scratch.path().join("too-soon").exists());

    drop(proxy);
    fs::remove_file(kept.scratch.path().join("open")).unwrap();
    let [chaincode] = &kept.processes()[..] else { panic!("{:?}", kept.processes()) };
    let chaincode = chaincode.file_name().and_then(|name| name.to_str()?.parse().ok());
    kill_process(chaincode.and_then(Pid::from_raw).unwrap(), Signal::KILL).unwrap();
    assert_eq!(kept.report().end, End::Signalled(9));
    let before = switches();
    assert!(wait_until(SOON, || switches() > before + 3), "it waits for nothing");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(128 + 9));
    assert!(!kept.scratch.path().join("too-soon").exists());
}

#[test]
fn what_is_asked_of_a_program_otherwise_reaches_it() {
    let mut kept = Kept::start(
        r#"trap 'touch "$1/asked"' USR1; touch "$1/runs"; while :; do sleep 0.01; done"#,
    );
    kept.await_file("runs");
    kept.signal(Signal::USR1);
    kept.await_file("asked");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(128 + 15));
}

#[test]
fn a_program_that_is_not_there_or_is_none_is_named() {
    for (program, code) in [("/no/such/chaincode", 127), ("/etc/passwd", 126)] {
        let output = Command::new(env!("CARGO_BIN_EXE_selvedge-keeper"))
            .args(["keep", program])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("{PREFIX}cannot start {program}: ")), "{said}");
    }
}

#[test]
fn little_is_kept_in_memory() {
    let mut kept = Kept::start(r#"[ "$starts" = 1 ] && exit 1; : > "$1/runs"; exec sleep 1000"#);
    kept.await_file("runs");
    let status = fs::read_to_string(format!("/proc/{}/status", kept.keeper.id())).unwrap();
    let own =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next());
    let kibibytes: u64 = own.unwrap().parse().unwrap();
    // Its program's text beside it is that of a few small libraries.
    assert!(kibibytes < 1024, "{kibibytes} KiB");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().signal(), None);
}
