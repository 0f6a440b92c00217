//! Compiles Go chaincode with this machine's toolchain.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use selvedge_buildpack::golang::{BuildCommand, GoBuild, GoToolchain, first_errors};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::guard::guarded;
use super::process::Process;
use crate::backend::BuildError;

/// How long the toolchain may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// How long a compiler may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// What of a compiler's output is searched for the first errors, in bytes.
const OUTPUT_LIMIT: usize = 256 << 10;

/// The Go toolchain in the launcher's PATH.
pub(crate) fn toolchain() -> GoToolchain {
    GoToolchain::new("go", std::env::vars_os())
}

/// The toolchain's version, which decides the binary as much as the source does.
pub(crate) async fn version(toolchain: &GoToolchain) -> Result<String, BuildError> {
    let command = toolchain.version_command();
    let mut process = start(&command)?;
    let answer = async {
        let mut answer = String::new();
        while let Some(line) = process.next_line().await {
            answer = line;
        }
        (answer, process.end().await)
    };
    match timeout(VERSION_LIMIT, answer).await {
        Ok((version, Ok(end))) if end.status.success() => Ok(version.trim().to_owned()),
        Ok((complaint, _)) => Err(failed(&command, io::Error::other(complaint))),
        Err(late) => Err(failed(&command, late.into())),
    }
}

/// Compiles the source below `root` into the executable `output`.
pub(crate) async fn compile(
    toolchain: &GoToolchain,
    build: &GoBuild,
    root: &Path,
    output: &Path,
    limit: Duration,
    log: &mpsc::Sender<String>,
) -> Result<(), BuildError> {
    let command = build.command(toolchain, root, output);
    let mut process = start(&command)?;
    let mut written = String::new();
    let compiled = async {
        while let Some(line) = process.next_line().await {
            if written.len() + line.len() < OUTPUT_LIMIT {
                written.push_str(&line);
                written.push('\n');
            }
            // A builder that is gone ends the whole build elsewhere.
            let _ = log.send(line).await;
        }
        process.end().await
    };
    let Ok(end) = timeout(limit, compiled).await else {
        process.kill();
        // Who removes the files waits until nobody writes there.
        let _ = timeout(KILLED, process.end()).await;
        return Err(BuildError::TimedOut(limit.as_secs_f32()));
    };
    let end = end.map_err(|source| failed(&command, source))?;
    if end.status.success() { Ok(()) } else { Err(BuildError::Compile(first_errors(&written))) }
}

fn start(command: &BuildCommand) -> Result<Process, BuildError> {
    let failed = |source| failed(command, source);
    let program = find(&command.program, &command.environment).map_err(failed)?;
    let mut guarded = guarded(&program);
    guarded
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.directory);
    Process::spawn(guarded).map_err(failed)
}

fn failed(command: &BuildCommand, source: io::Error) -> BuildError {
    BuildError::Toolchain { program: command.program.to_string_lossy().into_owned(), source }
}

/// The program's path, so that one that is missing is told from one that fails.
fn find(program: &OsStr, environment: &[(OsString, OsString)]) -> io::Result<OsString> {
    if Path::new(program).components().count() > 1 {
        return Ok(program.into());
    }
    let path = environment.iter().find(|(name, _)| name == "PATH");
    std::env::split_paths(path.map_or(OsStr::new(""), |(_, path)| path))
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .map(Into::into)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in the PATH"))
}
