//! Where the launcher stands: the cluster's API, its own pod, and for which peer it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, Client, Config, Resource};
use selvedge_manifest::PeerPod;
use tokio::time::{Instant, sleep};
use tracing::info;

use super::controller;
use super::failure::{ApiFailure, call};
use crate::error_chain::one_line;
use crate::settings::Place;

/// How long the API may take to show the launcher its own pod, with an address.
const OWN_POD: Duration = Duration::from_mins(1);

/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// Why the launcher does not know where it stands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroundError {
    #[error(
        "the kubernetes backend needs {0}: give it by the downward API (fieldRef {1}) or the flag"
    )]
    Unset(&'static str, &'static str),
    #[error("cannot find the Kubernetes API")]
    Config(#[source] kube::config::InferConfigError),
    #[error("cannot use the Kubernetes API")]
    Client(#[source] kube::Error),
    #[error("cannot read the launcher's own pod {namespace}/{name}")]
    OwnPod { namespace: String, name: String, source: ApiFailure },
    #[error("the launcher's own pod {0}/{1} has neither node nor address")]
    NotPlaced(String, String),
}

/// The cluster as one launcher sees it, for chaincode in one namespace.
#[derive(Clone)]
pub(crate) struct Ground {
    /// The API.
    pub(crate) client: Client,
    /// Where chaincode runs.
    pub(crate) namespace: String,
    /// Where it does of which the operator's file says nothing else.
    pub(crate) home: String,
    /// The peer's name, another for each peer of the cluster: peers of several namespaces may have
    /// their chaincode in one.
    pub(crate) peer: String,
    /// The launcher's pod, which is the peer's.
    pub(crate) pod: OwnPod,
}

/// What matters of the launcher's own pod.
#[derive(Clone, Debug)]
pub(crate) struct OwnPod {
    /// Its name.
    pub(crate) name: String,
    /// Its UID.
    pub(crate) uid: String,
    /// Its address.
    pub(crate) ip: IpAddr,
    /// That of its node, if the cluster says it.
    pub(crate) node_ip: Option<IpAddr>,
    /// What chaincode's objects say of it.
    pub(crate) peer: PeerPod,
}

impl Ground {
    /// Looks around: finds the API and reads the launcher's own pod. Chaincode runs in the namespace
    /// that is given, or in that of the settings, or in that of the pod.
    pub(crate) async fn survey(
        settings: &Place,
        namespace: Option<String>,
    ) -> Result<Self, GroundError> {
        let name = settings
            .pod_name
            .clone()
            .ok_or(GroundError::Unset("SELVEDGE_POD_NAME", "metadata.name"))?;
        let own_namespace = settings
            .pod_namespace
            .clone()
            .ok_or(GroundError::Unset("SELVEDGE_POD_NAMESPACE", "metadata.namespace"))?;
        let mut config = Config::infer().await.map_err(GroundError::Config)?;
        config.connect_timeout = Some(Duration::from_secs(5));
        let client = Client::try_from(config).map_err(GroundError::Client)?;
        let (pod, lasting_name) = own_pod(&client, &own_namespace, &name).await?;
        let peer = settings.peer_name.as_deref().unwrap_or(&lasting_name);
        // No namespace's name has a dot.
        let peer = format!("{own_namespace}.{peer}");
        let home = settings.chaincode_namespace.clone().unwrap_or(own_namespace);
        let namespace = namespace.unwrap_or_else(|| home.clone());
        Ok(Self { client, namespace, home, peer, pod })
    }

    /// The peer's name in its namespace.
    pub(crate) fn peer_name(&self) -> &str {
        self.peer.split_once('.').map_or(&self.peer, |(_, name)| name)
    }

    /// The same for chaincode in another namespace.
    pub(crate) fn within(&self, namespace: &str) -> Self {
        Self { namespace: namespace.into(), ..self.clone() }
    }

    /// What is to own the peer's objects, so that they go with it: what runs its pod, if that is in
    /// their namespace.
    pub(crate) async fn owner(&self) -> Result<Option<OwnerReference>, ApiFailure> {
        if self.pod.peer.namespace != self.namespace {
            return Ok(None);
        }
        controller::owner(&self.client, &self.namespace, &self.pod.name).await
    }

    /// Whether the launcher's pod is being deleted, as far as can be told.
    pub(crate) async fn is_leaving(&self) -> bool {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.pod.peer.namespace);
        match call("read its own pod", pods.get_opt(&self.pod.name)).await {
            Ok(Some(pod)) => {
                let is_own = pod.metadata.uid.as_deref() == Some(&self.pod.uid);
                !is_own || pod.metadata.deletion_timestamp.is_some()
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Objects of a kind, where chaincode runs.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// The launcher's pod, once it is placed, and the name that outlives it: the launcher may
/// run before its pod's address is known to the API, and before the API can be reached.
async fn own_pod(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<(OwnPod, String), GroundError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let deadline = Instant::now() + OWN_POD;
    loop {
        let failure = match call("read its own pod", api.get(name)).await {
            Ok(found) => match OwnPod::read(&found) {
                Some(pod) => {
                    let lasting_name = controller::lasting_name(&found, &pod.peer.node);
                    return Ok((pod, lasting_name));
                }
                None => GroundError::NotPlaced(namespace.into(), name.into()),
            },
            Err(source) => {
                let passing = source.is_passing();
                let failure =
                    GroundError::OwnPod { namespace: namespace.into(), name: name.into(), source };
                if !passing {
                    return Err(failure);
                }
                failure
            }
        };
        if Instant::now() >= deadline {
            return Err(failure);
        }
        info!(reason = one_line(&failure), "waiting for the launcher's own pod");
        sleep(INTERVAL).await;
    }
}

impl OwnPod {
    /// All addresses that it has, in the family of the one that others know.
    pub(crate) fn everywhere(&self) -> IpAddr {
        match self.ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// What matters of a pod; `None` before it has a node and an address.
    pub(crate) fn read(pod: &Pod) -> Option<Self> {
        let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
        Some(Self {
            name: pod.metadata.name.clone()?,
            uid: pod.metadata.uid.clone()?,
            ip: status.pod_ip.as_ref()?.parse().ok()?,
            node_ip: status.host_ip.as_ref().and_then(|ip| ip.parse().ok()),
            peer: PeerPod {
                namespace: pod.metadata.namespace.clone()?,
                node: spec.node_name.clone()?,
                labels: pod.metadata.labels.clone().unwrap_or_default(),
                tolerations: spec.tolerations.clone().unwrap_or_default(),
            },
        })
    }
}
