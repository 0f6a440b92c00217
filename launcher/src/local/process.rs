//! A guarded process with its lines: a compiler, or a replica.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Pid;
use selvedge_keeper::guard;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::last_lines::LastLines;
use crate::lines::read_lines;

/// How long the output of an ended process is still read: one that has killed its guard may have
/// left a process behind that holds it open.
const REMAINS: Duration = Duration::from_millis(250);

/// Lines queued for a reader; the process waits when it is full.
const QUEUE: usize = 256;

/// A running process under guard. Dropping it ends the process and all that it has started.
pub(crate) struct Process {
    guard: Child,
    /// To the guard; its end is the word that everything is to end.
    wishes: UnixStream,
    lines: mpsc::Receiver<String>,
    readers: JoinSet<()>,
    last_lines: LastLines,
    /// Set once the process has ended: until then what it wrote is still read.
    remains_until: Option<Instant>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct ProcessEnd {
    /// Its status.
    pub(crate) status: ExitStatus,
    /// The last lines that it wrote, or the first ones of its crash; oldest first.
    pub(crate) last_lines: Vec<String>,
}

impl Process {
    /// Starts the command, which must be a guard's.
    pub(crate) fn spawn(mut command: Command) -> io::Result<Self> {
        let (wishes, heeded) = UnixStream::pair()?;
        // What is said is little, and fits.
        wishes.set_nonblocking(true)?;
        let mut guard = command
            .stdin(OwnedFd::from(heeded))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sink, lines) = mpsc::channel(QUEUE);
        let mut readers = JoinSet::new();
        if let Some(output) = guard.stdout.take() {
            readers.spawn(read_lines(output, sink.clone()));
        }
        if let Some(output) = guard.stderr.take() {
            readers.spawn(read_lines(output, sink));
        }
        Ok(Self {
            guard,
            wishes,
            lines,
            readers,
            last_lines: LastLines::default(),
            remains_until: None,
        })
    }

    /// The guard's process, of which all others have come; none once it has ended.
    pub(crate) fn guard(&self) -> Option<Pid> {
        Pid::from_raw(self.guard.id()?.try_into().ok()?)
    }

    /// The next line; `None` when the process has ended and all it wrote was read.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        while self.remains_until.is_none() {
            tokio::select! {
                Some(line) = self.lines.recv() => return Some(self.remember(line)),
                _ = self.guard.wait() => self.remains_until = Some(Instant::now() + REMAINS),
            }
        }
        let line = timeout_at(self.remains_until?, self.lines.recv()).await.ok()??;
        Some(self.remember(line))
    }

    fn remember(&mut self, line: String) -> String {
        self.last_lines.remember(&line);
        line
    }

    /// How it ended, once nothing is left of it.
    pub(crate) async fn end(&mut self) -> io::Result<ProcessEnd> {
        let guards = self.guard.wait().await?;
        // A guard that could not start it, or was killed, has nothing to tell but that.
        let status = self.told().unwrap_or(guards);
        let last_lines = std::mem::take(&mut self.last_lines).of_end(status.code());
        Ok(ProcessEnd { status, last_lines })
    }

    fn told(&mut self) -> Option<ExitStatus> {
        let mut status = guard::Status::default();
        self.wishes.read_exact(&mut status).ok()?;
        Some(ExitStatus::from_raw(i32::from_ne_bytes(status)))
    }

    /// Asks it to end, with all that is in its group.
    pub(crate) fn terminate(&self) {
        // A guard that is gone needs none.
        let _ = (&self.wishes).write_all(&guard::TERMINATE);
    }

    /// Ends it and all that it has started.
    pub(crate) fn kill(&self) {
        let _ = self.wishes.shutdown(Shutdown::Write);
    }

    /// Ends a guard that does not do what it is there for, and the process with it.
    pub(crate) fn abandon(&mut self) {
        // Gone already is as good.
        let _ = self.guard.start_kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.readers.abort_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn end_of(script: &str) -> Vec<String> {
        // In the place of a guard, whose own end counts when it tells of no other.
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut process = Process::spawn(command).unwrap();
        while process.next_line().await.is_some() {}
        process.end().await.unwrap().last_lines
    }

    #[tokio::test]
    async fn keeps_the_last_lines_but_the_first_of_a_crash() {
        let lines = "echo ready; echo 'panic: oh'; seq 20;";
        let last: Vec<String> = (11..=20).map(|line| line.to_string()).collect();
        assert_eq!(end_of(&format!("{lines} exit 1")).await, last);
        let crash = end_of(&format!("echo 'panic: old'; {lines} exit 2")).await;
        assert_eq!(crash, ["panic: oh"]);
        assert_eq!(end_of("echo usage; exit 2").await, ["usage"]);
    }
}
