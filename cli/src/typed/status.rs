//! What was typed of `selvedge status`.

use clap::Args;
use selvedge_client::{Address, Caller, NoAddress};

/// Tell how a launcher is, and how each chaincode that it has.
///
/// For each chaincode: how far it is (starting, ready, changing over to new settings, ending) and
/// since when, how many of its replicas are registered, where it runs and of which image; below it
/// what the operator's file lifts of its pods' security (`allow`), and what it waits for or what went
/// wrong with it. On a terminal digests are shortened. Exit code 1 means that no launcher answers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge status\n  \
    kubectl exec peer0-0 -c launcher -- selvedge status\n  \
    selvedge status --json | jq '.chaincodes[] | select(.state != \"ready\") | .package_id'\n\n\
    What --json prints:\n  \
    .launcher      version, backend, peer, closed, file_refused\n  \
    .chaincodes[]  package_id, msp_id, peer_address, image, backend, namespace, deployment,\n                 \
    replicas_wanted, replicas_registered, function_processes, state, since, lifted[],\n                 \
    reasons[].{text, since},\n                 \
    transactions.{in_flight, run_again, answered, differed}\n  \
    What is not known or not so is null; times are of UTC. Keys may be added, and none changes.")]
pub(crate) struct Status {
    /// Where the launcher listens [default: what `SELVEDGE_LAUNCHER` names, or
    /// `unix:/run/selvedge/launcher.sock`]
    #[arg(short, long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) launcher: Option<Address>,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

fn address(text: &str) -> Result<Address, NoAddress> {
    Address::parse(text, Caller::Person)
}
