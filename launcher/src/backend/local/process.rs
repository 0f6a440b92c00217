//! A guarded process with its lines: a compiler, or a replica.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// A line is cut here, in bytes: no terminal shows more, and no log needs it.
const LINE_LIMIT: usize = 16 << 10;

/// What lines are kept of the end of a process.
const LAST_LINES: usize = 10;

/// How Go's account of a crash begins, and the exit status that goes with it
/// (`runtime/panic.go`). It is longer than [`LAST_LINES`], and its beginning tells most.
const CRASH: [&str; 2] = ["panic: ", "fatal error: "];
const CRASHED: i32 = 2;

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
    last_lines: VecDeque<String>,
    /// From the last line on that began the account of a crash; empty without one.
    crash: Vec<String>,
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
            last_lines: VecDeque::new(),
            crash: Vec::new(),
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
        if CRASH.iter().any(|beginning| line.starts_with(beginning)) {
            self.crash = vec![line.clone()];
        } else if !self.crash.is_empty() && self.crash.len() < LAST_LINES {
            self.crash.push(line.clone());
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.clone());
        line
    }

    /// How it ended, once it has; what is left of its group is ended too.
    pub(crate) async fn end(&mut self) -> io::Result<ProcessEnd> {
        let status = self.child.wait().await?;
        self.kill();
        let crashed = status.code() == Some(CRASHED) && !self.crash.is_empty();
        let last_lines = std::mem::take(&mut self.last_lines).into();
        let crash = std::mem::take(&mut self.crash);
        Ok(ProcessEnd { status, last_lines: if crashed { crash } else { last_lines } })
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

/// Reads lines, without their end; one over the limit is cut into several.
async fn read_lines(output: impl AsyncRead + Unpin, sink: mpsc::Sender<String>) {
    let mut output = BufReader::with_capacity(LINE_LIMIT, output);
    let mut line = Vec::new();
    // A broken pipe is the end, too.
    while let Ok(buffer) = output.fill_buf().await {
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let room = LINE_LIMIT - line.len();
        let taken = end.map_or(buffer.len(), |end| end).min(room);
        line.extend_from_slice(&buffer[..taken]);
        let complete = end == Some(taken);
        output.consume(taken + usize::from(complete));
        if (complete || line.len() == LINE_LIMIT) && send(&mut line, &sink).await.is_err() {
            return;
        }
    }
    if !line.is_empty() {
        let _ = send(&mut line, &sink).await;
    }
}

async fn send(
    line: &mut Vec<u8>,
    sink: &mpsc::Sender<String>,
) -> Result<(), mpsc::error::SendError<String>> {
    let text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    line.clear();
    sink.send(text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<String> {
        let (sink, mut lines) = mpsc::channel(QUEUE);
        read_lines(bytes, sink).await;
        let mut read = Vec::new();
        while let Some(line) = lines.recv().await {
            read.push(line);
        }
        read
    }

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
        assert_eq!(crash.len(), LAST_LINES);
        assert_eq!(crash[..2], ["panic: oh", "1"]);
        assert_eq!(end_of("echo usage; exit 2").await, ["usage"]);
    }

    #[tokio::test]
    async fn reads_lines_of_any_length_and_end() {
        assert_eq!(lines(b"one\r\ntwo\n\nthree").await, ["one", "two", "", "three"]);
        let long = vec![b'x'; LINE_LIMIT + 3];
        let read = lines(&[&long[..], b"\nnext\n"].concat()).await;
        assert_eq!(
            read.iter().map(String::len).collect::<Vec<_>>(),
            [LINE_LIMIT, 3, 4],
            "cut at the limit"
        );
        let exact = vec![b'y'; LINE_LIMIT];
        assert_eq!(lines(&exact).await.len(), 1);
        assert_eq!(lines(b"\xff\n").await, ["\u{fffd}"]);
    }
}
