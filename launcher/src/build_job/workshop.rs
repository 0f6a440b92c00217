//! The tools of the toolchain's image, and what becomes of them in a pod.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use selvedge_buildpack::recipe::{Answer, BuildCommand, KeptOutput, Workshop};

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
            .stdout(input.try_clone().map_err(failed(command))?)
            .stderr(input)
            .spawn()
            .map_err(failed(command))?;
        let output = relay(output).map_err(failed(command))?;
        let status = running.wait().map_err(failed(command))?;
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
