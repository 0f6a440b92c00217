//! What would be applied for a chaincode, told without a cluster: what only a cluster or a run
//! decides has a placeholder that the API server takes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use k8s_openapi::Metadata;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{Form, ImageCommand};
use selvedge_buildpack::shim::Shim;
use selvedge_config::Chaincode;
use serde::Serialize;

use crate::baseline::Lifted;
use crate::blueprint::{Blueprint, Deployed, PROXY_PORT, Unfit, owner, pods_at_rest};
use crate::identity::Identity;
use crate::launch::{LaunchPlan, LaunchTarget, ReplicaCredentials};
use crate::peer::PeerPod;
use crate::pull_login::PullLogin;

/// The address of a chaincode's Service, which the API chooses: of a network that is for documents
/// (RFC 5737).
pub const SERVICE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Where a chaincode's proxy listens: at the address of the peer's pod, on a port that is free.
pub const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 40000);

/// The node of the peer's pod.
pub const NODE: &str = "node-of-the-peer";

/// The launcher's own image, of which the operator's file need not say anything.
pub const LAUNCHER_IMAGE: &str = "registry.example.com/selvedge/launcher:placeholder";

/// Where images are kept, if the operator's file does not say so.
pub const REGISTRY: &str = "registry.example.com/selvedge";

/// The digest of an image that was not built.
pub const IMAGE_DIGEST: &str =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What an image that somebody else made has a container run.
const ENTRYPOINT: &str = "entrypoint-of-the-image";

/// A chaincode in a cluster that need not be there.
pub struct Sketch {
    /// Which chaincode, for which peer.
    pub identity: Identity,
    /// What its package holds, which decides how it is started.
    pub content: PackageContent,
    /// How its shim and the proxy come together.
    pub shim: Shim,
    /// The peer's pod.
    pub peer: PeerPod,
    /// How it runs by the operator's file.
    pub settings: Chaincode,
    /// The image, by digest.
    pub image: String,
    /// What it has a container run, which decides whether a keeper starts it.
    pub command: Option<ImageCommand>,
    /// The launcher's own image.
    pub launcher_image: String,
    /// The Secrets that the images are pulled with, besides those of the settings.
    pub pull_secrets: Vec<String>,
    /// By what nodes pull from the registry that the launcher serves, if it serves one.
    pub pull_login: Option<PullLogin>,
    /// The Service's address.
    pub service: IpAddr,
    /// Where the proxy listens.
    pub proxy: SocketAddr,
}

/// An object of a chaincode.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Object {
    /// The proxy's stable address.
    Service(Box<Service>),
    /// The replicas' credentials.
    Secret(Secret),
    /// Where the address leads.
    EndpointSlice(EndpointSlice),
    /// Who the pods may talk to.
    NetworkPolicy(NetworkPolicy),
    /// How many of the pods may be away at once.
    PodDisruptionBudget(PodDisruptionBudget),
    /// The pods.
    Deployment(Box<Deployment>),
}

impl Sketch {
    /// A chaincode of which nothing more is known: all else has its placeholder.
    pub fn new(
        identity: Identity,
        content: PackageContent,
        peer_namespace: &str,
        settings: Chaincode,
    ) -> Self {
        let command = match content {
            // One as good as any.
            PackageContent::Code(_) => Some(Form::program().command()),
            // Without one it could be no function.
            PackageContent::Image => settings
                .function()
                .map(|_| ImageCommand { entrypoint: vec![ENTRYPOINT.to_owned()], cmd: Vec::new() }),
        };
        Self {
            identity,
            content,
            shim: Shim::Dials,
            peer: PeerPod {
                namespace: peer_namespace.to_owned(),
                node: NODE.to_owned(),
                labels: BTreeMap::new(),
                tolerations: Vec::new(),
            },
            settings,
            image: format!("{REGISTRY}/chaincode@{IMAGE_DIGEST}"),
            command,
            launcher_image: LAUNCHER_IMAGE.to_owned(),
            pull_secrets: Vec::new(),
            pull_login: None,
            service: SERVICE_ADDRESS,
            proxy: PROXY,
        }
    }

    /// Its objects in the order in which they are applied, and what the operator's overlay lifts of
    /// the pods' security. What owns them is left out: nobody knows its UID.
    pub fn objects(&self) -> Result<(Vec<Object>, Vec<Lifted>), Unfit> {
        let credentials = credentials();
        let plan = self.plan(&credentials);
        let credentials = Sha256::of(credentials.certificate.as_bytes()).hex();
        let blueprint = Blueprint {
            identity: &self.identity,
            image: &self.image,
            command: self.command.as_ref(),
            plan: &plan,
            credentials: &credentials,
            generation: 1,
            proxy: self.proxy,
            peer: &self.peer,
            settings: &self.settings,
            pods: pods_at_rest(&self.settings),
            launcher_image: &self.launcher_image,
            pull_secrets: &self.pull_secrets,
            pull_login: self.pull_login.as_ref(),
            owner: None,
        };
        let service = blueprint.service();
        let (owner, applied) = (owner(&service), self.applied(&service));
        let Deployed { deployment, lifted } = blueprint.deployment(&owner, self.service)?;
        let pull_secret = blueprint.pull_secret(&owner).map(unowned);
        let budget = blueprint.disruption_budget(&owner).map(unowned);
        let before = [
            Object::Service(Box::new(service)),
            Object::Secret(unowned(blueprint.secret(&owner))),
            Object::EndpointSlice(unowned(blueprint.endpoint_slice(&owner))),
            Object::NetworkPolicy(unowned(blueprint.network_policy(&owner, &applied))),
        ];
        let objects = before
            .into_iter()
            .chain(pull_secret.map(Object::Secret))
            .chain(budget.map(Object::PodDisruptionBudget))
            .chain([Object::Deployment(Box::new(unowned(deployment)))]);
        Ok((objects.collect(), lifted))
    }

    fn plan(&self, credentials: &ReplicaCredentials) -> LaunchPlan {
        let address = format!("{}:{PROXY_PORT}", self.identity.host());
        let target = LaunchTarget {
            content: self.content,
            shim: self.shim,
            package_id: &self.identity.package_id,
            msp_id: &self.identity.msp_id,
            address: &address,
            root: "",
        };
        LaunchPlan::in_pod(&target, credentials, self.proxy.ip())
    }

    /// The Service as the API would give it back.
    fn applied(&self, service: &Service) -> Service {
        let mut applied = service.clone();
        let spec = applied.spec.get_or_insert_default();
        spec.cluster_ip = Some(self.service.to_string());
        spec.cluster_ips = Some(vec![self.service.to_string()]);
        applied
    }
}

/// What the launcher issues for each set of replicas.
fn credentials() -> ReplicaCredentials {
    let placeholder = |what: &str| format!("placeholder: {what}\n");
    ReplicaCredentials {
        certificate: placeholder("the certificate of one set of replicas"),
        key: placeholder("the key of one set of replicas"),
        root: placeholder("the authority of one run"),
    }
}

fn unowned<O: Metadata<Ty = ObjectMeta>>(mut object: O) -> O {
    object.metadata_mut().owner_references = None;
    object
}
