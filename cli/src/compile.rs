//! Whether the code compiles, asked before it is packaged: a peer tells the one who
//! installs a package that does not compile no more than `exit status 1`
//! (Fabric `core/container/externalbuilder/externalbuilder.go`).

use std::env;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use selvedge_buildpack::golang::{
    BuildCommand, GoBuild, GoChaincode, GoModule, GoToolchain, first_errors,
};
use selvedge_buildpack::package::{Interrupt, WriteError};
use selvedge_buildpack::platform::Platform;

/// Compiles the chaincode in `directory` as the launcher will, and throws the program away.
/// Without Go on the PATH nothing is checked, and a line says so.
pub(crate) fn check(directory: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let chaincode = GoChaincode::open(directory)?;
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let module = GoModule {
        // The root itself: here nothing lies below a package's `src`.
        directory: String::new(),
        package: chaincode.import_path,
        vendored: chaincode.module_root.join("vendor").is_dir(),
    };
    let toolchain = GoToolchain::new("go", env::vars_os());
    let build = GoBuild::new(module, Platform::host()?);
    let program = scratch.path().join("chaincode");
    let command = build.command(&toolchain, &chaincode.module_root, &program);
    let output = match run(&command) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anstream::eprintln!("not compiled before packaging: there is no `go` in the PATH");
            return Ok(());
        }
        output => output.context("cannot run `go`")?,
    };
    if interrupt.requested() {
        return Err(WriteError::Interrupted.into());
    }
    if !output.status.success() {
        let errors = first_errors(&String::from_utf8_lossy(&output.stderr));
        bail!(
            "the chaincode does not compile (--no-compile packages it all the same):\n  {}",
            errors.join("\n  ")
        );
    }
    Ok(())
}

fn run(command: &BuildCommand) -> io::Result<std::process::Output> {
    Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.directory)
        .stdin(Stdio::null())
        .output()
}
