//! Whether code compiles, asked of Go as the launcher asks it: a peer tells the one who installs
//! a package that does not compile no more than `exit status 1` (Fabric
//! `core/container/externalbuilder/session.go`).

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::Context;
use selvedge_buildpack::golang::{
    BuildCommand, GoBuild, GoCache, GoModule, GoPath, GoToolchain, cgo_reason, first_errors,
    may_need_cgo,
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
    /// It was not asked.
    Untried(Untried),
}

/// Why Go was not asked. None of it is the code's fault.
pub(crate) enum Untried {
    /// There is none on the PATH.
    NoToolchain,
    /// It has no place to work in.
    NoCaches(Vec<GoCache>),
}

impl fmt::Display for Untried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToolchain => f.write_str("there is no `go` in the PATH"),
            Self::NoCaches(caches) => {
                let variables: Vec<&str> = caches.iter().map(|cache| cache.variable()).collect();
                let variables = variables.join(" and ");
                write!(f, "Go has no directory for its caches here: set HOME, or {variables}")
            }
        }
    }
}

/// Compiles the code below `root`, which lies as in a package whose metadata has this `path`.
pub(crate) fn code(root: &Path, path: &str) -> anyhow::Result<Compiled> {
    let path: GoPath = path.parse()?;
    let platform = Platform::host()?;
    let build = GoBuild::new(GoModule::open(&Source::open(root)?, &path, platform)?, platform);
    let toolchain = GoToolchain::new("go", std::env::vars_os());
    let missing = toolchain.missing_caches();
    if !missing.is_empty() {
        return Ok(Compiled::Untried(Untried::NoCaches(missing)));
    }
    let scratch = scratch()?;
    let program = scratch.path().join("chaincode");
    let command = build.command(&toolchain, root, &program);
    let Some(output) = run(&command)? else {
        return Ok(Compiled::Untried(Untried::NoToolchain));
    };
    if output.status.success() {
        return Ok(match build.check(&program) {
            Ok(()) => Compiled::Cleanly,
            Err(error) => Compiled::Not(vec![error.to_string()]),
        });
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // What Go names by its whole path lies in a directory that is gone when this is read.
    let mut errors = first_errors(&said.replace(&format!("{}/", command.directory.display()), ""));
    if may_need_cgo(&said)
        && let Some(listed) = run(&build.cgo_command(&toolchain, root))?
    {
        let listed = String::from_utf8_lossy(&listed.stdout);
        errors.splice(0..0, cgo_reason(&listed, &said, &command.directory));
    }
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
