//! A chaincode as the cluster shows it: one Deployment and its pods.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Namespace, Overdue, until};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;

/// The annotation with the full package ID.
pub(crate) const PACKAGE_ID: &str = "selvedge.dev/package-id";

/// The label with the MSP ID of the peer's organisation, which has no other peer here.
pub(crate) const MSP_ID: &str = "selvedge.dev/msp-id";

/// The label with the name of all of a chaincode's objects.
const INSTANCE: &str = "app.kubernetes.io/instance";

const READY_LIMIT: Duration = Duration::from_mins(1);

/// One chaincode of one peer.
pub struct Chaincode {
    name: String,
    namespace: Arc<Namespace>,
}

impl Chaincode {
    pub(crate) fn new(name: String, namespace: Arc<Namespace>) -> Self {
        Self { name, namespace }
    }

    /// The name of its Deployment, Service, Secret and policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its pods that are not leaving.
    pub async fn pods(&self) -> Result<Vec<Pod>, kube::Error> {
        let selector = ListParams::default().labels(&format!("{INSTANCE}={}", self.name));
        let mut pods = self.namespace.api::<Pod>().list(&selector).await?.items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(pods)
    }

    /// Waits until it has one pod alone, which runs; that pod's name and node.
    pub async fn await_running(&self) -> Result<(String, String), Overdue> {
        until(&format!("a running pod of {}", self.name), READY_LIMIT, async || {
            let pods = self.pods().await.map_err(|error| error.to_string())?;
            let [pod] = pods.as_slice() else { return Err(format!("{} pods", pods.len())) };
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            match (phase, node, pod.metadata.name.clone()) {
                (Some("Running"), Some(node), Some(name)) => Ok((name, node)),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }
}
