//! The pod of the peer that a chaincode is for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;

/// What of a peer's pod goes into its chaincode's objects.
#[derive(Clone, Debug)]
pub struct PeerPod {
    /// Its namespace.
    pub namespace: String,
    /// Its node.
    pub node: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its tolerations.
    pub tolerations: Vec<Toleration>,
}
