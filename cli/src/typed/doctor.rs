//! What was typed of `selvedge doctor`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::at_launcher::AtLauncher;

/// Tell what is missing or wrong around a peer and its launcher, each with the way out.
///
/// Looked at are the peer's external builders, as its core.yaml and this environment say them: whether
/// Selvedge's are there, can be run, are of this release and for this machine, and whether another
/// builder takes packages first; the peer's certificates; the launcher's socket; and by the launcher
/// itself what it needs: on this machine compilers, room and what confines chaincode, in a cluster every
/// right, the registry and the clock. Run it where the peer is, and where the launcher is, if these see
/// different files. Exit code 1 means that something does not work.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge doctor --peer-config /etc/hyperledger/fabric/core.yaml\n  \
    kubectl exec peer0-0 -c launcher -- selvedge doctor\n  \
    selvedge doctor --json | jq '.findings[] | select(.verdict == \"bad\")'\n\n\
    What --json prints:\n  \
    .healthy      whether everything works\n  \
    .findings[]   about, verdict (good, doubtful, bad, unseen), said, way_out (null where nothing\n                \
    is to be done)\n  \
    Keys may be added, and none changes.")]
pub(crate) struct Doctor {
    /// The peer's `core.yaml` [default: that in `FABRIC_CFG_PATH` or /etc/hyperledger/fabric]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) peer_config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) at: AtLauncher,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
