//! What the pods of builds are made with and kept from, as the cluster tells it.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, ResourceExt};
use tracing::warn;

use super::super::failure::call;
use super::super::ground::Ground;
use super::error::BuildsError;
use crate::error_chain::one_line;

/// The container of the launcher in its own pod, whose image builds take the launcher from.
const OWN_CONTAINER: &str = "launcher";

/// The image of the launcher's own container.
pub(super) async fn own_image(ground: &Ground) -> Result<String, BuildsError> {
    let pods: Api<Pod> = Api::namespaced(ground.client.clone(), &ground.pod.namespace);
    let pod = call("read its own pod", pods.get(&ground.pod.name)).await?;
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| spec.containers.iter()).into_iter().flatten();
    // A sidecar is an init container that stays.
    let sidecars = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    containers
        .chain(sidecars)
        .find(|container| container.name == OWN_CONTAINER)
        .and_then(|container| container.image.clone())
        .ok_or_else(|| BuildsError::NoOwnImage(pod.name_any()))
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
