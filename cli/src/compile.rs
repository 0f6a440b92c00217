//! Whether a package's code compiles, asked of Go as the launcher asks it.
//!
//! An installer learns from the peer no more than that the build's exit status was 1 (Fabric's
//! `core/container/externalbuilder/session.go`): this tells the rest without the peer's log.

use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use selvedge_buildpack::golang::{GoBuild, GoModule, GoPath, GoToolchain, first_errors};
use selvedge_buildpack::package::{CODE_FILE, Refusal, RefusedBy, WriteError, unpack};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::source::Source;

/// Compiles the code of the package, which `inspect` has found sound, in a temporary directory.
/// The reason to refuse it when it does not compile.
pub(crate) fn compile(package: &Path) -> anyhow::Result<Option<Refusal>> {
    // Go is interrupted with us; what is left of it is ours to remove.
    ctrlc::set_handler(|| {}).context("cannot listen for Ctrl-C")?;
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let root = scratch.path().join("code");
    let unpacked = unpack(package, &root)?;
    let path: GoPath = unpacked.metadata.path.parse()?;
    let module = GoModule::find(&Source::open(&root)?.paths(), &path)?;
    let toolchain = GoToolchain::new("go", std::env::vars_os());
    let build = GoBuild::new(module, Platform::host()?);
    let command = build.command(&toolchain, &root, &scratch.path().join("chaincode"));
    let output = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment)
        .current_dir(&command.directory)
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anyhow::bail!("--compile needs Go, and there is no go in the PATH");
        }
        output => output.context("cannot run go")?,
    };
    match output.status.code() {
        Some(0) => Ok(None),
        None => Err(WriteError::Interrupted.into()),
        Some(_) => {
            let errors = first_errors(&String::from_utf8_lossy(&output.stderr)).join(" | ");
            let reason = format!("does not compile: {errors}");
            Ok(Some(Refusal { by: RefusedBy::Selvedge, file: CODE_FILE.to_owned(), reason }))
        }
    }
}
