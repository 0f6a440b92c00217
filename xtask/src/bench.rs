//! `cargo xtask bench`: the benchmarks, with all that they need built before.

use std::ffi::OsString;

use anyhow::Result;
use clap::Args;

use crate::cargo::{cargo, run};
use crate::dist;

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
        run(&mut cargo(&["build", "--quiet", "--package", "bench"]))?;
        let wants_help = |argument: &OsString| argument == "--help" || argument == "-h";
        let mut bench = cargo(&["run", "--quiet", "--package", "bench", "--"]);
        if !self.arguments.is_empty() && !self.arguments.iter().any(wants_help) {
            bench.env("SELVEDGE_DIST", dist::build()?);
        }
        run(bench.args(&self.arguments))
    }
}
