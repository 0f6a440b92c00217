//! Compiles Go chaincode with this machine's toolchain.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use selvedge_buildpack::golang::{
    BuildCommand, GoBuild, GoToolchain, cgo_reason, first_errors, may_need_cgo,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::info;

use super::guard::guarded;
use super::process::Process;
use crate::backend::BuildError;

/// How long the toolchain may take to say its version, or which files it passed over.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long a compiler may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// What of a compiler's output is searched for the first errors, in bytes.
const OUTPUT_LIMIT: usize = 256 << 10;

/// The Go toolchain in the launcher's PATH, with caches in `directory` where the launcher's
/// environment names none that Go can use: service managers set no HOME.
pub(crate) fn toolchain(directory: &Path) -> io::Result<GoToolchain> {
    let toolchain = GoToolchain::new("go", std::env::vars_os());
    for cache in toolchain.missing_caches() {
        let (variable, directory) = (cache.variable(), directory.display());
        info!(variable, %directory, "Go finds no such cache of its own and gets one");
    }
    toolchain.with_caches_in(directory)
}

/// The toolchain's version, which decides the binary as much as the source does.
pub(crate) async fn version(toolchain: &GoToolchain) -> Result<String, BuildError> {
    let command = toolchain.version_command();
    let (said, succeeded) = ask(&command).await?;
    let last = said.lines().next_back().unwrap_or_default().trim().to_owned();
    if succeeded { Ok(last) } else { Err(failed(&command, io::Error::other(last))) }
}

/// What a short command says, and whether it succeeded.
async fn ask(command: &BuildCommand) -> Result<(String, bool), BuildError> {
    let mut process = start(command)?;
    let mut said = String::new();
    let answer = async {
        relay(&mut process, &mut said, None).await;
        process.end().await
    };
    let end = timeout(ANSWER_LIMIT, answer).await.map_err(|late| failed(command, late.into()))?;
    let succeeded = end.is_ok_and(|end| end.status.success());
    Ok((said, succeeded))
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
        relay(&mut process, &mut written, Some(log)).await;
        process.end().await
    };
    let Ok(end) = timeout(limit, compiled).await else {
        process.kill();
        // Who removes the files waits until nobody writes there.
        let _ = timeout(KILLED, process.end()).await;
        return Err(BuildError::TimedOut(limit.as_secs_f32()));
    };
    if end.map_err(|source| failed(&command, source))?.status.success() {
        return build.check(output).map_err(|error| BuildError::Source(error.into()));
    }
    let mut errors = first_errors(&written);
    if may_need_cgo(&written)
        // Without an answer, what the compiler said has to do.
        && let Ok((listed, _)) = ask(&build.cgo_command(toolchain, root)).await
    {
        errors.splice(0..0, cgo_reason(&listed, &written, &command.directory));
    }
    Err(BuildError::Compile(errors))
}

/// Collects what a process writes, up to a limit, and passes it on.
async fn relay(process: &mut Process, written: &mut String, log: Option<&mpsc::Sender<String>>) {
    while let Some(line) = process.next_line().await {
        if written.len() + line.len() < OUTPUT_LIMIT {
            written.push_str(&line);
            written.push('\n');
        }
        if let Some(log) = log {
            // A builder that is gone ends the whole build elsewhere.
            let _ = log.send(line).await;
        }
    }
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
