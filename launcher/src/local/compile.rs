//! Builds with this machine's tools.

use std::ffi::{OsStr, OsString};
use std::io;
use std::iter;
use std::path::Path;
use std::time::Duration;

use selvedge_buildpack::recipe::{Answer, BuildCommand, KeptOutput, Workshop};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::confinement::{Confined, Confinement};
use super::given::Given;
use super::guard::guarded;
use super::process::Process;
use super::search_path::find_in;
use crate::backend::BuildError;
use crate::bounds::Bounds;

/// How long a short command may take, such as that for a version.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long a compiler may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// The variable that names the directory for temporary files.
const TEMPORARY: &str = "TMPDIR";

/// This machine's tools, for one build.
pub(super) struct LocalWorkshop<'a> {
    /// Where its tools put what is of no use afterwards, and may leave it.
    pub(super) temporary: &'a Path,
    /// An empty directory, in whose place its tools may have a root of their own.
    pub(super) place: &'a Path,
    /// What keeps them from the rest of this machine.
    pub(super) confinement: &'a Confinement,
    /// What they are given of it.
    pub(super) given: Vec<Given>,
    /// How long all of it may take.
    pub(super) limit: Duration,
    /// When that is over.
    pub(super) deadline: Instant,
    /// What it may take of the machine.
    pub(super) bounds: Bounds,
    /// What it has written to disk so far, in bytes.
    pub(super) written: u64,
    pub(super) log: &'a mpsc::Sender<String>,
}

impl Workshop for LocalWorkshop<'_> {
    type Error = BuildError;

    async fn run(&mut self, command: &BuildCommand) -> Result<Answer, BuildError> {
        let mut process = self.start(command)?;
        let guard = process.guard();
        let mut output = KeptOutput::default();
        let ended = async {
            relay(&mut process, &mut output, Some(self.log)).await;
            process.end().await
        };
        let ended = tokio::select! {
            end = ended => Ok(end),
            exceeded = self.bounds.watch(guard, &mut self.written) => Err(exceeded.into()),
            () = sleep_until(self.deadline) => {
                Err(BuildError::TimedOut(self.limit.as_secs_f32()))
            }
        };
        let end = match ended {
            Ok(end) => end,
            Err(error) => {
                process.kill();
                // Who removes the files waits until nobody writes there.
                let _ = timeout(KILLED, process.end()).await;
                return Err(error);
            }
        };
        let succeeded = end.map_err(|source| failed(command, source))?.status.success();
        Ok(Answer { succeeded, output: output.into_text() })
    }

    async fn ask(&mut self, command: &BuildCommand) -> Result<Answer, BuildError> {
        answer(self.start(command)?, command).await
    }
}

impl LocalWorkshop<'_> {
    /// Starts a command of the build's, which is confined.
    fn start(&self, command: &BuildCommand) -> Result<Process, BuildError> {
        let failed = |source| failed(command, source);
        let program = find(&command.program, &command.environment).map_err(failed)?;
        let mut confined = self.confinement.command(&Confined {
            place: self.place.to_owned(),
            given: self.given.clone(),
            directory: command.directory.clone(),
            program: iter::once(program).chain(command.arguments.iter().cloned()).collect(),
        });
        let environment = command.environment.iter().filter(|(name, _)| name != TEMPORARY);
        confined
            .env_clear()
            .envs(environment.map(|(name, value)| (name, value)))
            .env(TEMPORARY, self.temporary)
            .current_dir(&command.directory);
        Process::spawn(confined).map_err(failed)
    }
}

/// The toolchain's version, which decides the program as much as the source does.
pub(super) async fn version(command: &BuildCommand) -> Result<String, BuildError> {
    let Answer { succeeded, output } = answer(start(command)?, command).await?;
    let last = output.lines().next_back().unwrap_or_default().trim().to_owned();
    if succeeded { Ok(last) } else { Err(failed(command, io::Error::other(last))) }
}

/// What a short command says, which was started.
async fn answer(mut process: Process, command: &BuildCommand) -> Result<Answer, BuildError> {
    let mut output = KeptOutput::default();
    let answer = async {
        relay(&mut process, &mut output, None).await;
        process.end().await
    };
    let end = timeout(ANSWER_LIMIT, answer).await.map_err(|late| failed(command, late.into()))?;
    let succeeded = end.is_ok_and(|end| end.status.success());
    Ok(Answer { succeeded, output: output.into_text() })
}

/// Collects what is kept of what a process writes, and passes it on.
async fn relay(
    process: &mut Process,
    written: &mut KeptOutput,
    log: Option<&mpsc::Sender<String>>,
) {
    while let Some(line) = process.next_line().await {
        written.line(&line);
        if let Some(log) = log {
            // A builder that is gone ends the whole build elsewhere.
            let _ = log.send(line).await;
        }
    }
}

/// Starts a command that has nothing to do with any package.
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
    find_in(path.map_or(OsStr::new(""), |(_, path)| path), program)
        .map(Into::into)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in the PATH"))
}
