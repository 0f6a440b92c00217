//! The pod of the peer that a chaincode is for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Toleration};

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

impl PeerPod {
    /// What matters of a pod; `None` before it has a node.
    pub fn of(pod: &Pod) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        Some(Self {
            namespace: pod.metadata.namespace.clone()?,
            node: spec.node_name.clone()?,
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            tolerations: spec.tolerations.clone().unwrap_or_default(),
        })
    }

    /// What a peer of this pod is known by in the whole cluster: no namespace's name has a dot.
    pub fn peer(namespace: &str, name: &str) -> String {
        format!("{namespace}.{name}")
    }
}
