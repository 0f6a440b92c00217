//! Servers, each under a supervisor that ends it when the harness does.
//!
//! The supervisor is a few lines of shell: a child of ours that is no thread of ours, so it
//! works where `PR_SET_PDEATHSIG`, bound to the spawning thread, does not (`cargo test` runs
//! each test on a thread of its own).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, Signal, kill_process};
use thiserror::Error;

use crate::log::{LineMissing, Log, Mark};
use crate::scratch::ScratchDir;

/// What to run as a server.
#[derive(Clone, Debug)]
pub struct ServerCommand {
    /// For messages: `peer Org1MSP`.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Added to this process's environment.
    pub environment: BTreeMap<String, OsString>,
    /// Its working directory.
    pub dir: PathBuf,
    /// Where its output is appended.
    pub log: PathBuf,
    /// How long it may take to end after SIGTERM.
    pub grace: Duration,
}

/// A server that could not be started or did not do what it should.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The supervisor did not start.
    #[error("cannot start {name}")]
    Start {
        /// The server.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It ended by itself.
    #[error("{name} ended with {status}; its last lines:\n{tail}")]
    Ended {
        /// The server.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said last.
        tail: String,
    },
    /// A line that it should log did not come.
    #[error("{name} did not come up")]
    Silent {
        /// The server.
        name: String,
        /// What was waited for.
        source: LineMissing,
    },
}

/// A running server. Dropping it ends the server.
#[derive(Debug)]
pub struct Server {
    command: ServerCommand,
    supervisor: Child,
    /// Its closing tells the supervisor that we are gone.
    alive: Option<ChildStdin>,
    pid: u32,
    log: Log,
    /// Where this run's lines begin in the log.
    begin: Mark,
}

impl Server {
    /// Starts the server as one of `scratch`'s.
    pub fn start(scratch: &ScratchDir, command: ServerCommand) -> Result<Self, ServerError> {
        let name = command.name.clone();
        Self::spawn(scratch, command).map_err(|source| ServerError::Start { name, source })
    }

    fn spawn(scratch: &ScratchDir, command: ServerCommand) -> io::Result<Self> {
        let log = Log::new(command.log.clone());
        let begin = log.mark();
        let output = OpenOptions::new().create(true).append(true).open(&command.log)?;
        let grace = command.grace.as_secs().to_string();
        let mut shell = Command::new("sh");
        forget_fabric_settings(&mut shell);
        let mut supervisor = shell
            .arg(scratch.supervisor())
            .args([scratch.pids().as_os_str(), OsStr::new(&grace)])
            .arg(&command.program)
            .args(&command.arguments)
            // What is left in it by a killed peer or launcher goes with the scratch directory.
            .env("TMPDIR", scratch.temporary())
            .envs(&command.environment)
            .current_dir(&command.dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()?;
        let alive = supervisor.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let pid = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { command, supervisor, alive, pid, log, begin })
    }

    /// The server's own process ID.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Stops it if it runs, and starts it again as it was started first.
    pub fn restart(&mut self, scratch: &ScratchDir) -> Result<(), ServerError> {
        self.stop();
        *self = Self::start(scratch, self.command.clone())?;
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.supervisor.try_wait().ok().flatten()
    }

    /// An error with its status and last words when it has ended.
    pub fn running(&mut self) -> Result<(), ServerError> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(self.gone(status)),
        }
    }

    /// Waits until this run of the server logged a line with `wanted`; fails at once when the
    /// server ends instead.
    pub fn await_line(&mut self, wanted: &str, limit: Duration) -> Result<String, ServerError> {
        let deadline = Instant::now() + limit;
        loop {
            // Asked first: what it logged before it ended is looked at all the same.
            let ended = self.ended();
            let step = Duration::from_millis(50);
            match (self.log.wait_for_line(self.begin, wanted, step), ended) {
                (Ok(line), _) => return Ok(line),
                (Err(_), Some(status)) => return Err(self.gone(status)),
                (Err(source), None) if Instant::now() >= deadline => {
                    let name = self.command.name.clone();
                    return Err(ServerError::Silent { name, source });
                }
                (Err(_), None) => {}
            }
        }
    }

    fn gone(&self, status: ExitStatus) -> ServerError {
        ServerError::Ended { name: self.command.name.clone(), status, tail: self.log.tail() }
    }

    /// SIGTERM, SIGKILL after its grace; waits until it has ended.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.end_with(Signal::TERM)
    }

    /// SIGKILL; waits until it has ended. What it left in its process group ends too, as when a
    /// container is killed.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        self.end_with(Signal::USR1)
    }

    fn end_with(&mut self, signal: Signal) -> Option<ExitStatus> {
        if let Some(status) = self.ended() {
            return Some(status);
        }
        // Its supervisor is our child and not yet waited for: the pid is still its own.
        let _ = kill_process(Pid::from_child(&self.supervisor), signal);
        self.supervisor.wait().ok()
    }

    /// Lets it live on when this process ends.
    pub fn keep(&mut self) {
        if let Some(mut alive) = self.alive.take() {
            // A supervisor that is gone has nothing to keep.
            let _ = alive.write_all(b"keep\n");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.alive.is_some() {
            self.stop();
        }
    }
}

/// Fabric's programs take any setting from the environment: those of the person who runs the
/// harness must not reach them.
pub(crate) fn forget_fabric_settings(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CORE_", "ORDERER_", "FABRIC_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Waits for `condition`, asked every few milliseconds, up to `limit`. True when it came.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
