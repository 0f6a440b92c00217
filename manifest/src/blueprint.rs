//! A chaincode's objects in Kubernetes: pure functions of what is to run, and where.
//!
//! The Service owns the others. It is what stays the longest, the address of the
//! proxy: deleting it deletes all that there is of a chaincode, and a Deployment
//! that someone deletes takes neither the address nor the credentials with it.

mod deployment;
mod disruption;
mod files;
mod keeper;
mod network;
mod placement;
mod pulling;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

pub use deployment::{Deployed, Unfit};
pub use keeper::takes_orders_to_kill;
use selvedge_buildpack::image::ImageCommand;
use selvedge_config::{Chaincode, Execution, Function, Keep};

use crate::identity::Identity;
use crate::launch::LaunchPlan;
use crate::peer::PeerPod;
use crate::pull_login::PullLogin;

/// The port of the stable address, as a peer's own for chaincode.
pub const PROXY_PORT: u16 = 7052;

/// The port at which a keeper takes its launcher's orders.
pub const KEEPER_PORT: u16 = 9998;

/// The port's name, which Service and EndpointSlice must agree on.
const PORT_NAME: &str = "chaincode";

/// The container that runs the chaincode.
pub const CONTAINER: &str = "chaincode";

/// The volume with the replicas' credentials.
const CREDENTIALS_VOLUME: &str = "credentials";

/// The container that waits for the way to the proxy, and brings the keeper.
pub const GATE: &str = "proxy-reached";

/// What a chaincode's objects are made from.
pub struct Blueprint<'a> {
    /// Which chaincode, for which peer.
    pub identity: &'a Identity,
    /// The image, by digest.
    pub image: &'a str,
    /// What a keeper starts there: what the image has a container run. Where that is not known, the
    /// container's first process is the image's own.
    pub command: Option<&'a ImageCommand>,
    /// How it is started; its files go into the Secret.
    pub plan: &'a LaunchPlan,
    /// The SHA-256 of the replicas' certificate.
    pub credentials: &'a str,
    /// Which of the run's pods: a new number makes the Deployment replace them.
    pub generation: u32,
    /// Where the proxy really listens.
    pub proxy: SocketAddr,
    /// The peer's pod.
    pub peer: &'a PeerPod,
    /// How it runs by the operator's file.
    pub settings: &'a Chaincode,
    /// How many pods there are to be.
    pub pods: u16,
    /// The launcher's own image, which waits in the pods for the way to the proxy, and has the keeper.
    pub launcher_image: &'a str,
    /// The Secrets that the images are pulled with, besides those of the settings.
    pub pull_secrets: &'a [String],
    /// By what nodes pull from the registry that the launcher serves, if it serves one.
    pub pull_login: Option<&'a PullLogin>,
    /// What runs the peer, with which all of it is to go.
    pub owner: Option<&'a OwnerReference>,
}

/// How many pods there are of a chaincode that runs by these settings while nobody calls it.
pub fn pods_at_rest(settings: &Chaincode) -> u16 {
    match settings.execution() {
        Execution::Service { replicas, .. } => replicas,
        Execution::Function(Function { keep: Keep::Pod, max_replicas, .. }) => max_replicas.get(),
        Execution::Function(Function { keep: Keep::Nothing, .. }) => 0,
    }
}

impl Blueprint<'_> {
    /// The stable address. It selects no pods: its endpoint is the launcher's to say.
    pub fn service(&self) -> Service {
        Service {
            metadata: self.metadata(self.owner),
            spec: Some(ServiceSpec {
                type_: Some("ClusterIP".into()),
                ports: Some(vec![ServicePort {
                    name: Some(PORT_NAME.into()),
                    port: PROXY_PORT.into(),
                    protocol: Some("TCP".into()),
                    ..ServicePort::default()
                }]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        }
    }

    /// The replicas' own credentials; never the peer's.
    pub fn secret(&self, owner: &OwnerReference) -> Secret {
        let file = |(path, content): &(String, Vec<u8>)| {
            (file_name(path).to_owned(), ByteString(content.clone()))
        };
        Secret {
            metadata: self.metadata(Some(owner)),
            type_: Some("Opaque".into()),
            data: Some(self.plan.files.iter().map(file).collect::<BTreeMap<_, _>>()),
            ..Secret::default()
        }
    }

    /// Where keepers take orders: nowhere, if there are none, or the chaincode itself listens there.
    fn keeper_port(&self) -> Option<u16> {
        self.command.is_some().then_some(KEEPER_PORT).filter(|port| self.plan.port != Some(*port))
    }

    fn metadata(&self, owner: Option<&OwnerReference>) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.identity.name.clone()),
            namespace: Some(self.identity.namespace.clone()),
            labels: Some(self.identity.labels()),
            annotations: Some(self.identity.annotations()),
            owner_references: owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        }
    }
}

/// The reference to the Service by which it owns another object.
pub fn owner(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "Service".into(),
        name: service.metadata.name.clone().unwrap_or_default(),
        uid: service.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }
}

/// The Service has no address of its own: it was there before, or is made headless by a webhook.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Service {name} has no address (clusterIP is {found}), and no other way leads to the \
     chaincode's proxy; delete it, and keep others from making it: it is made anew"
)]
pub struct NoAddress {
    name: String,
    found: String,
}

/// The stable address, which the API gave to the Service.
pub fn address(service: &Service) -> Result<IpAddr, NoAddress> {
    let found = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref());
    found.and_then(|found| found.parse().ok()).ok_or_else(|| NoAddress {
        name: service.metadata.name.clone().unwrap_or_default(),
        found: found.unwrap_or("missing").to_owned(),
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests;
