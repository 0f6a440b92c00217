//! Commands that are programs of their own: what they stand on takes a while to compile, and the
//! others do not wait for it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};
use clap::Args;
use testbed::dist::workspace_dir;
use xtask::cargo::{cargo, run};

/// What is typed behind such a command, which its program reads.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Words {
    /// What to do
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    words: Vec<OsString>,
}

/// Has the program of this package do what we were told to do, in our place.
pub(crate) fn to(package: &str) -> Result<()> {
    // Aloud: it may take minutes.
    run(&mut cargo(&["build", "--package", package]))?;
    let manifest = workspace_dir().join("Cargo.toml");
    let mut program = cargo(&["run", "--quiet", "--manifest-path"]);
    program.arg(manifest).args(["--package", package, "--"]).args(env::args_os().skip(1));
    // Paths among the arguments are seen from here.
    program.current_dir(env::current_dir().context("there is no working directory")?);
    Err(program.exec()).context("cannot run cargo")
}
