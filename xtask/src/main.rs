//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod cargo;
mod cluster;
mod demo;
mod dist;
mod fabric_suites;
mod profile;
mod record;
mod screen;
mod steps;
mod test;

use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Test(test::Test),
    Dist(dist::Dist),
    Cluster(cluster::Cluster),
    Bench(bench::Bench),
    Profile(record::Profile),
    FabricSuites(fabric_suites::FabricSuites),
}

/// Within this time a signal is known to be one.
const SIGNAL: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = clean_up_on_ctrl_c().and_then(|()| run(&cli, &matches));
    if result.is_err() {
        // A program that we run is told of a Ctrl-C, too, and may have failed of it by now.
        thread::sleep(SIGNAL);
    }
    if INTERRUPTED.load(Ordering::SeqCst) {
        // No failure to report, and no success: the handler exits when all is gone.
        loop {
            thread::park();
        }
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{}error:{} {error:#}", steps::BAD, steps::BAD.render_reset());
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli, matches: &clap::ArgMatches) -> anyhow::Result<()> {
    match &cli.command {
        Command::Demo(demo) => {
            let (_, typed) = matches.subcommand().context("no command")?;
            demo::run(demo, typed)
        }
        Command::Test(_) => test::test(),
        Command::Dist(_) => dist::dist(),
        Command::Cluster(cluster) => cluster.run(),
        Command::Bench(bench) => bench.run(),
        Command::Profile(_) => record::record(),
        Command::FabricSuites(suites) => suites.run(),
    }
}

/// A signal ends us without destructors: what the testbed raised is ended here.
fn clean_up_on_ctrl_c() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        anstream::eprintln!("\ninterrupted: ending what was started");
        testbed::end_all();
        exit(130);
    })
    .context("cannot handle Ctrl-C")
}
