//! A guarded process with its lines: a compiler, or a replica.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::last_lines::LastLines;
use crate::lines::read_lines;

/// How long the output of an ended process is still read: a process that it left
/// behind may hold it open.
const REMAINS: Duration = Duration::from_millis(250);

/// Lines queued for a reader; the process waits when it is full.
const QUEUE: usize = 256;

/// A running process and the group that it leads. Dropping it kills the group.
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
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
    /// Starts the command, which must lead a group of its own.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (sink, lines) = mpsc::channel(QUEUE);
        let mut readers = JoinSet::new();
        if let Some(output) = child.stdout.take() {
            readers.spawn(read_lines(output, sink.clone()));
        }
        if let Some(output) = child.stderr.take() {
            readers.spawn(read_lines(output, sink));
        }
        Ok(Self {
            child,
            group,
            lines,
            readers,
            last_lines: LastLines::default(),
            remains_until: None,
        })
    }

    /// The next line; `None` when the process has ended and all it wrote was read.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        while self.remains_until.is_none() {
            tokio::select! {
                Some(line) = self.lines.recv() => return Some(self.remember(line)),
                _ = self.child.wait() => self.remains_until = Some(Instant::now() + REMAINS),
            }
        }
        let line = timeout_at(self.remains_until?, self.lines.recv()).await.ok()??;
        Some(self.remember(line))
    }

    fn remember(&mut self, line: String) -> String {
        self.last_lines.remember(&line);
        line
    }

    /// How it ended, once it has; what is left of its group is ended too.
    pub(crate) async fn end(&mut self) -> io::Result<ProcessEnd> {
        let status = self.child.wait().await?;
        self.kill();
        let last_lines = std::mem::take(&mut self.last_lines).of_end(status.code());
        Ok(ProcessEnd { status, last_lines })
    }

    /// Asks the whole group to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the whole group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs none.
            let _ = kill_process_group(group, signal);
        }
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
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        let mut process = Process::spawn(&mut command).unwrap();
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
