//! One of the executables, running: its lines as they come, its exit code.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// No executable takes longer than this for anything in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running executable; killed when it is dropped.
pub(crate) struct Executable {
    child: Child,
    lines: Option<mpsc::Receiver<String>>,
}

/// How an executable ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) lines: Vec<String>,
}

impl Outcome {
    /// The last line.
    pub(crate) fn reason(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

/// A command of one of the four, with nothing in its environment, as the peer
/// does it.
pub(crate) fn command(name: &str) -> Command {
    let path = match name {
        "detect" => env!("CARGO_BIN_EXE_selvedge-detect"),
        "build" => env!("CARGO_BIN_EXE_selvedge-build"),
        "release" => env!("CARGO_BIN_EXE_selvedge-release"),
        "run" => env!("CARGO_BIN_EXE_selvedge-run"),
        _ => panic!("no executable {name}"),
    };
    let mut command = Command::new(path);
    command.env_clear();
    command
}

/// Calls an executable that needs no launcher, to its end.
pub(crate) fn call(name: &str, directories: &[&Path]) -> Outcome {
    Executable::start(command(name).args(directories)).end()
}

impl Executable {
    /// Starts it, reading its lines as the peer would.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut executable = Self::start_unread(command);
        executable.read();
        executable
    }

    /// Begins to read the lines of an executable that was started unread.
    pub(crate) fn read(&mut self) {
        let stderr = BufReader::new(self.child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        self.lines = Some(lines);
    }

    /// Starts it with a stderr that nobody reads.
    pub(crate) fn start_unread(command: &mut Command) -> Self {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Self { child: child.unwrap(), lines: None }
    }

    /// Waits for the next line.
    pub(crate) fn line(&self) -> String {
        self.lines.as_ref().unwrap().recv_timeout(PATIENCE).expect("another line")
    }

    /// Closes the reading end of its stderr.
    pub(crate) fn close_stderr(&mut self) {
        self.child.stderr.take();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// A size in its `/proc/PID/status`, in KiB.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        self.status(field).parse().unwrap()
    }

    /// Waits until it catches SIGTERM, which would end it otherwise.
    pub(crate) fn await_signal_handlers(&self) {
        let sigterm = 1 << (Signal::TERM.as_raw() - 1);
        while u64::from_str_radix(&self.status("SigCgt:"), 16).unwrap() & sigterm == 0 {
            thread::yield_now();
        }
    }

    fn status(&self, field: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().into()
    }

    /// The processes that it started.
    pub(crate) fn children(&self) -> String {
        let id = self.child.id();
        fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Outcome {
        let status = self.wait();
        assert_eq!(status.signal(), None, "ended by a signal");
        let lines = self.lines.take().map(|lines| lines.iter().collect()).unwrap_or_default();
        Outcome { code: status.code().unwrap(), lines }
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| AsRef::<OsStr>::as_ref(&entry.unwrap().file_name()).to_str().unwrap().into())
        .collect();
    names.sort();
    names
}
