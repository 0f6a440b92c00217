//! What was typed of `selvedge logs`.

use clap::Args;

use super::at_launcher::AtLauncher;

/// Print what a chaincode has written, and what its launcher has said of it.
///
/// The launcher keeps the last 2000 lines of each chaincode, 256 KiB at most, since it was started; of
/// one that does not come up, too, and of one that has ended, for a while. Each line has its time and
/// its replica, by the name that `selvedge status --json` has; a line without one is the launcher's.
/// What would move a terminal's cursor is shown as it is written in Rust.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge logs basic_1.0\n  \
    selvedge logs basic_1.0 --follow --tail 20\n  \
    kubectl exec peer0-0 -c launcher -- selvedge logs basic_1.0\n  \
    selvedge logs basic_1.0 --json | jq -r 'select(.replica == \"replica-1\") | .text'")]
pub(crate) struct Logs {
    /// The chaincode: its package ID, or its label where only one package has it
    pub(crate) chaincode: String,

    /// Go on with what it writes, until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// How many of the last lines [default: all that are kept]
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) tail: Option<u32>,

    /// Only the lines of one replica
    #[arg(short, long, value_name = "NAME")]
    pub(crate) replica: Option<String>,

    /// The peer whose chaincode it is, where several peers of a launcher apart have it
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Option<String>,

    /// Print the lines alone, without time and replica
    #[arg(long, conflicts_with = "json")]
    pub(crate) bare: bool,

    /// Print a line of JSON for each: .at, .replica (null if the launcher says it), .text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AtLauncher,
}
