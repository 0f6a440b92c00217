//! The tools of the toolchain's image, and what becomes of them in a pod.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use selvedge_buildpack::recipe::{Answer, BuildCommand, KeptOutput, Workshop};

use crate::bounds::{Exceeded, INTERVAL, Taken};

use super::error::BuildJobError;

/// A line is cut here, in bytes.
const LINE_LIMIT: u64 = 16 << 10;

/// What the go command says of a compiler that got SIGKILL, which in a pod means: too much memory.
const KILLED: &str = "signal: killed";

/// Runs commands one at a time; their lines go to the pod's log as they come.
pub(crate) struct PodWorkshop;

impl Workshop for PodWorkshop {
    type Error = BuildJobError;

    async fn run(&mut self, command: &BuildCommand) -> Result<Answer, BuildJobError> {
        let (output, input) = io::pipe().map_err(failed(command))?;
        let mut running = process(command)
            .process_group(0)
            .stdout(input.try_clone().map_err(failed(command))?)
            .stderr(input)
            .spawn()
            .map_err(failed(command))?;
        let id = Pid::from_child(&running);
        let (over, ended) = mpsc::channel();
        let watch = thread::spawn(move || dispersed(id, &ended));
        let output = relay(output).map_err(failed(command))?;
        let status = running.wait().map_err(failed(command))?;
        drop(over);
        if let Ok(Some(crowd)) = watch.join() {
            return Err(crowd.into());
        }
        let killed = status.signal() == Some(9) || output.contains(KILLED);
        if killed && !status.success() {
            return Err(BuildJobError::Killed);
        }
        Ok(Answer { succeeded: status.success(), output })
    }

    async fn ask(&mut self, command: &BuildCommand) -> Result<Answer, BuildJobError> {
        let said = process(command).output().map_err(failed(command))?;
        let output = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        Ok(Answer { succeeded: said.status.success(), output })
    }
}

/// Ends the command's processes if they become too many: the pod has limits for all else that they
/// take. What has left their group ends with the pod.
fn dispersed(command: Pid, ended: &mpsc::Receiver<()>) -> Option<Exceeded> {
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(INTERVAL) {
        if let Some(crowd) = Taken::by(command).crowd() {
            // Gone already is as good.
            let _ = kill_process_group(command, Signal::KILL);
            return Some(crowd);
        }
    }
    None
}

fn process(command: &BuildCommand) -> Command {
    let mut process = Command::new(&command.program);
    process
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.directory)
        .stdin(Stdio::null());
    process
}

fn failed(command: &BuildCommand) -> impl Fn(io::Error) -> BuildJobError {
    let program = command.program.to_string_lossy().into_owned();
    move |source| BuildJobError::Toolchain { program: program.clone(), source }
}

/// Passes lines on until all that write have ended; what is kept of what they wrote.
fn relay(output: impl Read) -> io::Result<String> {
    let mut output = BufReader::new(output);
    let mut written = KeptOutput::default();
    loop {
        let mut line = Vec::new();
        if output.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)? == 0 {
            return Ok(written.into_text());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        // A reader that is gone does not end the build.
        let _ = writeln!(io::stdout(), "{line}");
        written.line(line);
    }
}
