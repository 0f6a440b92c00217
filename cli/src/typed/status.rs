//! What was typed of `selvedge status`.

use clap::Args;

use super::at_launcher::AtLauncher;

/// Tell how a launcher is, and how each chaincode that it has.
///
/// For each chaincode: how far it is (starting, ready, changing over to new settings, ending) and
/// since when, how many of its replicas are registered, how many calls it has had in this run and how
/// many of them failed, how many were run again as their replica had ended, where it runs and of which
/// image; below it what the operator's file lifts of its pods' security (`allow`), what its last failed
/// call was told, and what it waits for or what went wrong with it. A terminal gets as many columns as
/// fit, and what does not below the row; digests are shortened there. Exit code 1 means that no
/// launcher answers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge status\n  \
    selvedge status --watch\n  \
    kubectl exec peer0-0 -c launcher -- selvedge status\n  \
    selvedge status --json | jq '.chaincodes[] | select(.state != \"ready\") | .package_id'\n\n\
    What --json prints:\n  \
    .launcher      version, backend, peer, closed, file_refused, unconfined[]\n  \
    .chaincodes[]  package_id, msp_id, peer, peer_address, image, backend, namespace, deployment, mode,\n                 \
    replicas_wanted, replicas_registered, replicas_started, replicas_ended,\n                 \
    replicas[].{name, node, state, since}, function_processes, state, since,\n                 \
    lifted[], reasons[].{text, since}, last_error.{text, since},\n                 \
    transactions.{in_flight, begun, failed, run_again, answered, differed},\n                 \
    latency.{mean, p50, p95, p99}, bytes.{from_peer, to_peer}\n  \
    What is not known or not so is null; times are of UTC, latencies in seconds, and those of the\n  \
    last 5 % and 1 % are estimates. Keys may be added, and none changes.")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) at: AtLauncher,

    /// Tell it again every two seconds, until Ctrl-C; with --json a line each time
    #[arg(short, long)]
    pub(crate) watch: bool,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
