//! A language's tools on this machine, run without a word on the screen.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::WriteError;
use selvedge_buildpack::recipe::{BuildCommand, Toolchain};

/// What became of a command, with what it wrote on both streams.
pub(crate) enum Ran {
    Well(String),
    Failed(String),
    /// There is no such program.
    Missing(String),
}

/// The tools of a language. For what they need and would not find, directories are made below `own`.
pub(crate) fn toolchain(language: Language, own: &Path) -> anyhow::Result<Toolchain> {
    language
        .toolchain(std::env::vars_os(), own)
        .context("cannot make directories for the compiler's caches")
}

/// Runs a command to its end. An interrupt reaches it by itself; the caller must outlive it, to clean
/// up.
pub(crate) fn run(command: &BuildCommand) -> anyhow::Result<Ran> {
    let program = command.program.to_string_lossy().into_owned();
    let ran = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.directory)
        .stdin(Stdio::null())
        .output();
    let ran = match ran {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ran::Missing(program)),
        ran => ran.with_context(|| format!("cannot run `{program}`"))?,
    };
    let output = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    match ran.status.code() {
        // By a signal: Ctrl-C is for all that runs in the terminal.
        None => Err(WriteError::Interrupted.into()),
        Some(0) => Ok(Ran::Well(output)),
        Some(_) => Ok(Ran::Failed(output)),
    }
}

pub(crate) fn scratch() -> anyhow::Result<tempfile::TempDir> {
    tempfile::tempdir().context("cannot make a temporary directory")
}
