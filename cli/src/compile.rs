//! Whether code compiles, asked of Go as the launcher asks it: a peer tells the one who installs
//! a package that does not compile no more than `exit status 1` (Fabric
//! `core/container/externalbuilder/session.go`).

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use selvedge_buildpack::golang::{
    GoBuild, GoChaincode, GoModule, GoPath, GoToolchain, first_errors,
};
use selvedge_buildpack::package::{Inspection, WriteError};
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

/// Compiles the chaincode in a developer's directory.
pub(crate) fn directory(directory: &Path) -> anyhow::Result<Compiled> {
    let chaincode = GoChaincode::open(directory)?;
    let module = GoModule {
        // The root itself: here nothing lies below a package's `src`.
        directory: String::new(),
        package: chaincode.import_path,
        vendored: chaincode.module_root.join("vendor").is_dir(),
    };
    compile(module, &chaincode.module_root)
}

/// Compiles the code in a package that was found sound.
pub(crate) fn package(inspection: &Inspection) -> anyhow::Result<Compiled> {
    let metadata = inspection.report.metadata.as_ref().context("it has no metadata")?;
    let path: GoPath = metadata.path.parse()?;
    let root = inspection.code();
    compile(GoModule::find(&Source::open(root)?.paths(), &path)?, root)
}

/// An interrupt reaches Go by itself; the caller must outlive it, to clean up.
fn compile(module: GoModule, root: &Path) -> anyhow::Result<Compiled> {
    let scratch = scratch()?;
    let toolchain = GoToolchain::new("go", std::env::vars_os());
    let build = GoBuild::new(module, Platform::host()?);
    let command = build.command(&toolchain, root, &scratch.path().join("chaincode"));
    let output = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment)
        .current_dir(&command.directory)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Compiled::NoToolchain),
        output => output.context("cannot run `go`")?,
    };
    match output.status.code() {
        Some(0) => Ok(Compiled::Cleanly),
        Some(_) => Ok(Compiled::Not(first_errors(&String::from_utf8_lossy(&output.stderr)))),
        None => Err(WriteError::Interrupted.into()),
    }
}

fn scratch() -> anyhow::Result<tempfile::TempDir> {
    tempfile::tempdir().context("cannot make a temporary directory")
}
