//! `cargo xtask docs`: the documentation as a site. A program of its own, since what makes a site takes
//! a while to compile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::dist::workspace_dir;
use xtask::ending;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a site of docs/, and fails when a link of it leads nowhere
    Docs {
        /// Where to; what is in there is replaced
        #[arg(long, value_name = "DIR", default_value_os_t = workspace_dir().join("target/docs"))]
        to: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::Docs { to } = Cli::parse().command;
    ending::of(|| make(&to))
}

fn make(to: &Path) -> Result<()> {
    let site = xtask_docs::make(workspace_dir(), to)?;
    anstream::println!("{} pages, begin with {}", site.pages, site.index.display());
    Ok(())
}
