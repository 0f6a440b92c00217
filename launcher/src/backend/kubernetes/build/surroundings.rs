//! What the pods of builds are made with and kept from, as the cluster tells it.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use tracing::warn;

use super::super::failure::{ApiFailure, call};
use super::super::ground::Ground;
use crate::error_chain::one_line;

/// The container of the launcher in its own pod, whose image builds take the launcher from.
const OWN_CONTAINER: &str = "launcher";

/// What the launcher's own pod tells of the launcher's image.
pub(super) struct OwnImage {
    /// The image; `None` if the pod has no container of that name.
    pub(super) name: Option<String>,
    /// The Secrets that the pod pulls its images with, its service account's among them.
    pub(super) pull_secrets: Vec<String>,
}

impl OwnImage {
    /// Reads the pod.
    pub(super) async fn read(ground: &Ground) -> Result<Self, ApiFailure> {
        let pods: Api<Pod> = Api::namespaced(ground.client.clone(), &ground.pod.namespace);
        let pod = call("read its own pod", pods.get(&ground.pod.name)).await?;
        let spec = pod.spec.unwrap_or_default();
        // A sidecar is an init container that stays.
        let sidecars = spec.init_containers.unwrap_or_default();
        let mut containers = spec.containers.into_iter().chain(sidecars);
        let own = containers.find(|container| container.name == OWN_CONTAINER);
        let secrets = spec.image_pull_secrets.into_iter().flatten();
        Ok(Self {
            name: own.and_then(|container| container.image),
            pull_secrets: secrets.map(|secret| secret.name).collect(),
        })
    }

    /// The Secrets that nodes pull the images of builds and chaincode with: the registry's, and
    /// what the launcher itself was pulled with, whose program both bring along. A Secret is good
    /// in its own namespace alone.
    pub(super) fn pull_secrets(&self, ground: &Ground, of_registry: Option<&str>) -> Vec<String> {
        let mut secrets: Vec<String> = of_registry.map(ToOwned::to_owned).into_iter().collect();
        if ground.namespace == ground.pod.namespace {
            let more = self.pull_secrets.iter().filter(|name| Some(name.as_str()) != of_registry);
            secrets.extend(more.cloned());
        } else if !self.pull_secrets.is_empty() {
            warn!(
                secrets = self.pull_secrets.join(", "),
                of = ground.pod.namespace,
                "the launcher's image is pulled without its own pod's Secrets in the namespace {}: \
                 if its registry wants credentials, add them to the Secret of --registry-secret there",
                ground.namespace
            );
        }
        secrets
    }
}

/// The addresses of the API server, to keep builds from them: the Service's, and those behind it,
/// which is what most engines of network policies see.
pub(super) async fn api_server(ground: &Ground) -> Vec<IpAddr> {
    const SERVICE: &str = "kubernetes";
    let slices: Api<EndpointSlice> = Api::namespaced(ground.client.clone(), "default");
    let endpoints = match call("read the API server's addresses", slices.get(SERVICE)).await {
        Ok(slice) => slice.endpoints,
        Err(failure) => {
            warn!(
                reason = one_line(&failure),
                "builds may reach the API server, without a credential; name its addresses with \
                 --build-egress-except"
            );
            Vec::new()
        }
    };
    let service = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let addresses = endpoints.into_iter().flat_map(|endpoint| endpoint.addresses);
    addresses.chain(service).filter_map(|address| address.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::mock::Api as Cluster;
    use super::*;

    #[tokio::test]
    async fn the_launchers_image_is_pulled_with_what_its_own_pod_is() {
        let cluster = Cluster::default();
        let pod = json!({
            "metadata": { "name": "peer0-a" },
            "spec": {
                "containers": [{ "name": "peer", "image": "fabric-peer:1" }],
                "initContainers": [{ "name": "launcher", "image": "registry.example/launcher:1" }],
                "imagePullSecrets": [{ "name": "company" }, { "name": "registry" }],
            },
        });
        cluster.put("/api/v1/namespaces/org1/pods/peer0-a", pod);
        let elsewhere = cluster.ground("peer0-a");
        let own = OwnImage::read(&elsewhere).await.unwrap();
        assert_eq!(own.name.as_deref(), Some("registry.example/launcher:1"));
        assert_eq!(own.pull_secrets(&elsewhere, Some("registry")), ["registry"]);
        assert!(own.pull_secrets(&elsewhere, None).is_empty());

        let here = Ground {
            client: elsewhere.client.clone(),
            namespace: elsewhere.pod.namespace.clone(),
            peer: elsewhere.peer.clone(),
            pod: elsewhere.pod.clone(),
        };
        assert_eq!(own.pull_secrets(&here, Some("registry")), ["registry", "company"]);
        assert_eq!(own.pull_secrets(&here, None), ["company", "registry"]);
    }
}
