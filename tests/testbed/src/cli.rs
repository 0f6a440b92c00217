//! Runs Fabric's command-line programs, bounded in time, and says why one failed.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::log::Log;
use crate::process::forget_fabric_settings;

/// What a program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliOutput {
    /// Its result.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

/// Why a call of a command-line program gave no result.
#[derive(Debug, Error)]
pub enum CliError {
    /// It did not start.
    #[error("cannot run {command}")]
    Start {
        /// The command line.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error, or was ended at its time limit.
    #[error("{command}: {reason}\n{output}{logs}", reason = reason(status.as_ref()), output = printed(output))]
    Failed {
        /// The command line.
        command: String,
        /// Nothing when it was still running at its time limit.
        status: Option<ExitStatus>,
        /// What it printed.
        output: CliOutput,
        /// The telling lines of the servers' logs.
        logs: String,
    },
    /// It ended well, but its output is not what it should be.
    #[error("{command}: unexpected output\n{output}", output = printed(output))]
    Unexpected {
        /// The command line.
        command: String,
        /// What it printed.
        output: CliOutput,
    },
}

impl CliError {
    /// What the program wrote to stderr: for the `peer` CLI, the peer's own words.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Start { .. } => "",
            Self::Failed { output, .. } | Self::Unexpected { output, .. } => &output.stderr,
        }
    }
}

fn reason(status: Option<&ExitStatus>) -> String {
    status.map_or_else(|| "still running at its time limit, ended".to_owned(), ToString::to_string)
}

fn printed(output: &CliOutput) -> String {
    let lines: Vec<&str> = output.stdout.lines().chain(output.stderr.lines()).collect();
    format!("  {}\n", lines.join("\n  "))
}

/// Runs `command` for at most `limit` with no Fabric settings but those in `environment`; an
/// error shows the telling lines of `logs`.
pub(crate) fn run(
    command: &mut Command,
    environment: Vec<(&'static str, String)>,
    limit: Duration,
    logs: &[Log],
) -> Result<CliOutput, CliError> {
    let line = command_line(command);
    forget_fabric_settings(command);
    command.envs(environment);
    let (status, output) = bounded(command, limit)
        .map_err(|source| CliError::Start { command: line.clone(), source })?;
    if status.is_some_and(|status| status.success()) {
        return Ok(output);
    }
    Err(CliError::Failed {
        command: line,
        status,
        output,
        logs: logs.iter().map(telling_lines).collect(),
    })
}

fn bounded(command: &mut Command, limit: Duration) -> io::Result<(Option<ExitStatus>, CliOutput)> {
    let deadline = Instant::now() + limit;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let mut receive = |from: mpsc::Receiver<String>| {
        let left = deadline.saturating_duration_since(Instant::now());
        from.recv_timeout(left).or_else(|_| {
            // Its pipes close when it is gone: what it printed until now comes at once.
            child.kill()?;
            from.recv_timeout(Duration::from_secs(5)).map_err(io::Error::other)
        })
    };
    let output = CliOutput { stdout: receive(stdout)?, stderr: receive(stderr)? };
    let in_time = Instant::now() < deadline;
    let status = child.wait()?;
    Ok((in_time.then_some(status), output))
}

/// Reads a pipe to its end on a thread, so that neither of two pipes fills up.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        // Nobody listens any more after a time limit.
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

fn command_line(command: &Command) -> String {
    let program = command.get_program();
    let name = std::path::Path::new(program).file_name().unwrap_or(program);
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn telling_lines(log: &Log) -> String {
    let name = log.path().file_name().unwrap_or_default().to_string_lossy();
    log.telling_lines().map_or_else(
        || format!("-- {name}: nothing unusual\n"),
        |lines| format!("-- {name}:\n{lines}\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_come_back_whole() {
        // More than a pipe holds, on both.
        let script = "yes | head -c 200000; yes | head -c 200000 >&2";
        let output = run(&mut shell(script), vec![], Duration::from_secs(20), &[]).unwrap();
        assert_eq!(output.stdout.len(), 200_000);
        assert_eq!(output.stderr.len(), 200_000);
    }

    #[test]
    fn a_failure_shows_command_status_words_and_logs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peer.log");
        std::fs::write(&path, "2026 ERRO [x] no such chaincode\n").unwrap();
        let mut command = shell("echo refused >&2; exit 3");
        let error =
            run(&mut command, vec![], Duration::from_secs(20), &[Log::new(path)]).unwrap_err();
        assert_eq!(error.stderr(), "refused\n");
        let text = error.to_string();
        for part in ["sh -c", "exit status: 3", "refused", "no such chaincode"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn a_program_that_hangs_is_ended_at_the_limit() {
        let started = Instant::now();
        let mut command = shell("echo begun; exec sleep 60");
        let error = run(&mut command, vec![], Duration::from_millis(300), &[]).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10));
        let text = error.to_string();
        assert!(text.contains("time limit"), "{text}");
        assert!(text.contains("begun"), "{text}");
    }
}
