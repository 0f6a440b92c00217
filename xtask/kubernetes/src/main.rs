//! Those of the project's own commands that raise a real Kubernetes. `cargo xtask` calls them: what
//! needs none does not wait until Kubernetes' types are compiled.

mod cluster;
mod demo;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use xtask::demo::{Demo, in_order};
use xtask::ending;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Cluster(cluster::Cluster),
    Demo(Demo),
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    ending::of(|| run(&cli, &matches))
}

fn run(cli: &Cli, matches: &ArgMatches) -> Result<()> {
    match &cli.command {
        Command::Cluster(cluster) => cluster.run(),
        Command::Demo(demo) => {
            let (_, typed) = matches.subcommand().context("no command")?;
            demo::run(demo, &in_order(typed)?)
        }
    }
}
