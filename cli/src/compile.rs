//! Whether code compiles, asked of Go as the launcher asks it: a peer tells the one who installs
//! a package that does not compile no more than `exit status 1` (Fabric
//! `core/container/externalbuilder/session.go`).

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::Context;
use selvedge_buildpack::golang::{
    BuildCommand, GoBuild, GoModule, GoPath, GoToolchain, first_errors,
};
use selvedge_buildpack::package::WriteError;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::source::Source;

/// What the compiler says. The program is thrown away.
pub(crate) enum Compiled {
    /// Nothing.
    Cleanly,
    /// Its first errors.
    Not(Vec<String>),
    /// There is no Go on the PATH.
    NoToolchain,
}

/// Compiles the code below `root`, which lies as in a package whose metadata has this `path`.
pub(crate) fn code(root: &Path, path: &str) -> anyhow::Result<Compiled> {
    let path: GoPath = path.parse()?;
    let platform = Platform::host()?;
    let build = GoBuild::new(GoModule::open(&Source::open(root)?, &path, platform)?, platform);
    let toolchain = GoToolchain::new("go", std::env::vars_os());
    let scratch = scratch()?;
    let program = scratch.path().join("chaincode");
    let command = build.command(&toolchain, root, &program);
    let Some(output) = run(&command)? else {
        return Ok(Compiled::NoToolchain);
    };
    if output.status.success() {
        return Ok(Compiled::Cleanly);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // What Go names by its whole path lies in a directory that is gone when this is read.
    let errors = first_errors(&said.replace(&format!("{}/", command.directory.display()), ""));
    Ok(Compiled::Not(errors))
}

/// None without the program. An interrupt reaches Go by itself; the caller must outlive it, to
/// clean up.
fn run(command: &BuildCommand) -> anyhow::Result<Option<Output>> {
    let output = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.directory)
        .stdin(Stdio::null())
        .output();
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(output) if output.status.code().is_none() => Err(WriteError::Interrupted.into()),
        output => Ok(Some(output.context("cannot run `go`")?)),
    }
}

pub(crate) fn scratch() -> anyhow::Result<tempfile::TempDir> {
    tempfile::tempdir().context("cannot make a temporary directory")
}
