//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod fabric_suites;
mod hand_over;
mod local_demo;
mod record;
mod test;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use xtask::demo::{Demo, in_order};
use xtask::{dist, ending};

use hand_over::Words;

/// The program of the commands that raise a real Kubernetes.
const KUBERNETES: &str = "xtask-kubernetes";

/// The program that makes a site.
const DOCS: &str = "xtask-docs";

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(Demo),
    Test(test::Test),
    Dist(dist::Dist),
    /// Raises the two-node Kubernetes of the tests (`cargo xtask cluster --help`)
    Cluster(Words),
    Bench(bench::Bench),
    Profile(record::Profile),
    FabricSuites(fabric_suites::FabricSuites),
    /// Makes a site of the documentation (`cargo xtask docs --help`)
    Docs(Words),
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    ending::of(|| run(&cli, &matches))
}

fn run(cli: &Cli, matches: &ArgMatches) -> Result<()> {
    match &cli.command {
        Command::Demo(demo) => {
            let (_, typed) = matches.subcommand().context("no command")?;
            // Looked at before anything is compiled for them.
            let calls = in_order(typed)?;
            if demo.kubernetes { hand_over::to(KUBERNETES) } else { local_demo::run(demo, &calls) }
        }
        Command::Test(_) => test::test(),
        Command::Dist(dist) => dist.run(),
        Command::Cluster(_) => hand_over::to(KUBERNETES),
        Command::Docs(_) => hand_over::to(DOCS),
        Command::Bench(bench) => bench.run(),
        Command::Profile(_) => record::record(),
        Command::FabricSuites(suites) => suites.run(),
    }
}
