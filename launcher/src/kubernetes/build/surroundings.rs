//! What the pods of builds are made with and kept from, as the cluster tells it.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use tracing::warn;

use super::super::failure::{ApiFailure, call};
use super::super::ground::Ground;
use super::reach::is_inside;
use crate::error_chain::one_line;

/// Where a pod is told whom to ask for names.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The container of the launcher in its own pod, whose image builds take the launcher from.
const OWN_CONTAINER: &str = "launcher";

/// What the launcher's own pod tells of the launcher's image.
#[derive(Clone, Debug)]
pub(super) struct OwnImage {
    /// The image; `None` if the pod has no container of that name.
    pub(super) name: Option<String>,
    /// The pod's namespace.
    namespace: String,
    /// The Secrets that the pod pulls its images with, its service account's among them.
    pull_secrets: Vec<String>,
}

impl OwnImage {
    /// Reads the pod.
    pub(super) async fn read(ground: &Ground) -> Result<Self, ApiFailure> {
        let pods: Api<Pod> = Api::namespaced(ground.client.clone(), &ground.pod.peer.namespace);
        let pod = call("read its own pod", pods.get(&ground.pod.name)).await?;
        let spec = pod.spec.unwrap_or_default();
        // A sidecar is an init container that stays.
        let sidecars = spec.init_containers.unwrap_or_default();
        let mut containers = spec.containers.into_iter().chain(sidecars);
        let own = containers.find(|container| container.name == OWN_CONTAINER);
        let secrets = spec.image_pull_secrets.into_iter().flatten();
        Ok(Self {
            name: own.and_then(|container| container.image),
            namespace: ground.pod.peer.namespace.clone(),
            pull_secrets: secrets.map(|secret| secret.name).collect(),
        })
    }

    /// The Secrets that nodes pull the images of builds and chaincode with in a namespace: the
    /// registry's, and what the launcher itself was pulled with, whose program both bring along. A
    /// Secret is good in its own namespace alone.
    pub(super) fn pull_secrets(&self, namespace: &str, of_registry: Option<&str>) -> Vec<String> {
        let mut secrets: Vec<String> = of_registry.map(ToOwned::to_owned).into_iter().collect();
        if namespace == self.namespace {
            let more = self.pull_secrets.iter().filter(|name| Some(name.as_str()) != of_registry);
            secrets.extend(more.cloned());
        }
        secrets
    }

    /// Says so if pods are made in another namespace than that of the pull Secrets.
    pub(super) fn warn_of_another_namespace(&self, namespace: &str) {
        if namespace != self.namespace && !self.pull_secrets.is_empty() {
            warn!(
                secrets = self.pull_secrets.join(", "),
                of = self.namespace,
                "the launcher's image is pulled without its own pod's Secrets in the namespace \
                 {namespace}: if its registry wants credentials, add them to the Secret of \
                 registry.secret there"
            );
        }
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
                "builds may reach an API server with an address of the world, without a \
                 credential; name it with builds.egress.except"
            );
            Vec::new()
        }
    };
    let service = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let addresses = endpoints.into_iter().flat_map(|endpoint| endpoint.addresses);
    addresses.chain(service).filter_map(|address| address.parse().ok()).collect()
}

/// The addresses at which this pod asks for names, and a build's pod too: the kubelet writes the
/// same into both.
pub(super) fn name_servers() -> Vec<IpAddr> {
    let servers = match std::fs::read_to_string(RESOLV_CONF) {
        Ok(text) => servers_in(&text),
        Err(_) => Vec::new(),
    };
    if servers.is_empty() {
        warn!(
            "no name server is known from {RESOLV_CONF}: builds ask the one in kube-system alone; \
             name another's network with builds.egress.allow"
        );
    }
    servers
}

/// The name servers of a `resolv.conf` (resolv.conf(5)) that another pod reaches, too.
fn servers_in(text: &str) -> Vec<IpAddr> {
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let servers = words.filter_map(|words| match words[..] {
        ["nameserver", address, ..] => address.parse().ok(),
        _ => None,
    });
    servers.filter(|address: &IpAddr| !address.is_loopback()).collect()
}

/// Says so if pods here have addresses of the world, from which builds are not kept.
pub(super) fn warn_of_public_pods(ground: &Ground) {
    if !is_inside(ground.pod.ip) {
        warn!(
            address = %ground.pod.ip,
            "pods of this cluster have addresses of the world: builds may reach them; name their \
             network with builds.egress.except"
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::mock::Api as Cluster;
    use super::*;

    #[test]
    fn name_servers_of_a_pod() {
        let text = "search org1.svc.cluster.local svc.cluster.local\n# nameserver 192.0.2.1\n\
                    nameserver 10.96.0.10\nnameserver fd00::a\nnameserver 127.0.0.53\n\
                    nameserver\noptions ndots:5\n";
        let expected: [IpAddr; 2] = [[10, 96, 0, 10].into(), "fd00::a".parse().unwrap()];
        assert_eq!(servers_in(text), expected);
    }

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
        assert_eq!(own.pull_secrets("elsewhere", Some("registry")), ["registry"]);
        assert!(own.pull_secrets("elsewhere", None).is_empty());

        let here = &elsewhere.pod.peer.namespace;
        assert_eq!(own.pull_secrets(here, Some("registry")), ["registry", "company"]);
        assert_eq!(own.pull_secrets(here, None), ["company", "registry"]);
    }
}
