//! The commands that raise a Kubernetes: a program of its own (`xtask/kubernetes`), since its types
//! take minutes to compile.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};
use clap::Args;
use testbed::dist::workspace_dir;
use xtask::cargo::{cargo, run};

/// Raises the two-node Kubernetes of the tests (`cargo xtask cluster --help`)
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Cluster {
    /// What to do with it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ACTION")]
    arguments: Vec<OsString>,
}

/// Has that program do what we were told to do, in our place.
pub(crate) fn hand_over() -> Result<()> {
    const PACKAGE: [&str; 2] = ["--package", "xtask-kubernetes"];
    // Aloud: it may take minutes.
    run(cargo(&["build"]).args(PACKAGE))?;
    let manifest = workspace_dir().join("Cargo.toml");
    let mut program = cargo(&["run", "--quiet", "--manifest-path"]);
    program.arg(manifest).args(PACKAGE).arg("--").args(env::args_os().skip(1));
    // Paths among the arguments are seen from here.
    program.current_dir(env::current_dir().context("there is no working directory")?);
    Err(program.exec()).context("cannot run cargo")
}
