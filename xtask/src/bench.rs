//! `cargo xtask bench`: the benchmarks, with all that they need built before.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use xtask::cargo::{cargo, run};
use xtask::dist;

/// Measures Selvedge on a real Fabric network (`cargo xtask bench proxy --help`).
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// The benchmark and its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "BENCHMARK")]
    arguments: Vec<OsString>,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<()> {
        let wants_help = |argument: &OsString| argument == "--help" || argument == "-h";
        let needs_nothing = self.arguments.is_empty() || self.arguments.iter().any(wants_help);
        let mut bench = if needs_nothing { program() } else { bench(&dist::build()?)? };
        run(bench.args(&self.arguments))
    }
}

/// The benchmarks of the binaries in `dist`.
pub(crate) fn bench(dist: &Path) -> Result<Command> {
    // All of its programs: one is a builder that the peer calls.
    run(&mut cargo(&["build", "--package", "bench"]))?;
    let mut bench = program();
    bench.env("SELVEDGE_DIST", dist);
    Ok(bench)
}

fn program() -> Command {
    cargo(&["run", "--quiet", "--package", "bench", "--"])
}
