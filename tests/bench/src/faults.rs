//! `bench faults`: what callers notice when something fails.

mod kubernetes;
mod launcher_log;
mod local;
mod notice;
mod table;
mod watch;

use anyhow::{Result, bail, ensure};
use clap::Args;

/// Faults under load, and what its callers and those of a neighbour notice of each.
#[derive(Debug, Args)]
#[command(
    after_help = "Eight clients read and eight write while each fault happens, and two of each kind \
                        call another chaincode on the same channel. Fails when a client was told of \
                        a success that the ledger does not have, when a call was answered wrongly, \
                        or when not everything is normal again by itself."
)]
pub(crate) struct Options {
    /// In a cluster of two nodes on this machine (as root), in place of a machine without one
    #[arg(long)]
    kubernetes: bool,
    /// Only the faults whose names have this in them
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Prints JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let rows = if options.kubernetes { kubernetes::run(wanted)? } else { local::run(wanted)? };
    ensure!(!rows.is_empty(), "no fault has {:?} in its name", options.only);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        table::print(&rows);
    }
    let broken: Vec<_> =
        rows.iter().filter(|row| !row.notice.keeps_its_word()).map(|row| row.fault).collect();
    if !broken.is_empty() {
        bail!("clients were told what is not so: {}", broken.join("; "));
    }
    Ok(())
}
