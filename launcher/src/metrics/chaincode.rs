//! By which labels a chaincode is told from others.

use prometheus_client::encoding::EncodeLabelSet;

/// Which chaincode: as many as a peer has launched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Chaincode {
    pub(super) package_id: String,
    pub(super) msp_id: String,
    /// The peer's name, of a launcher apart; empty otherwise.
    pub(super) peer: String,
    /// Empty on the `local` backend.
    pub(super) deployment: String,
}
