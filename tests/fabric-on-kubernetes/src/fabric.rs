//! One Fabric network in one namespace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, Kubectl, KubectlError, Namespace, until};
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use kube::api::PostParams;
use kube::core::ObjectMeta;
use serde_json::{Value, json};
use testbed::cache::CacheError;
use testbed::dist::workspace_dir;
use testbed::material::{Address, Organisation};
use testbed::{Binaries, NetworkSpec, OperatorsFile, PeerSpec, RemoteNetwork, Site};

use crate::fabric_error::FabricError;
use crate::images::{self, Images, write};
use crate::installation::Installation;
use crate::outside;
use crate::overlay::{INSTANCE, Overlay};
use crate::peer::{HEALTH_PORT, PeerPod};

/// Peers of several organisations know each other within seconds.
const GOSSIP_LIMIT: Duration = Duration::from_mins(1);

/// What network is wanted.
#[derive(Clone, Debug)]
pub struct FabricSpec {
    /// The namespace, which is made.
    pub namespace: String,
    /// The organisations' MSP IDs, at least one.
    pub organisations: Vec<String>,
    /// The node of the peers.
    pub node: String,
    /// What the launchers' file says beside what every one's does: keys by their paths.
    pub settings: Vec<(String, Value)>,
    /// The environment of the launchers, beside what the manifests give them.
    pub launchers: BTreeMap<String, String>,
    /// The environment of the peers, likewise.
    pub environment: BTreeMap<String, String>,
    /// What of it the peers hand on to their builders, beside where the launcher is.
    pub propagated: Vec<String>,
    /// The peers' tolerations.
    pub tolerations: Vec<Value>,
    /// Objects that are there before the peers are: quotas, policies, configuration.
    pub before: Vec<Value>,
    /// What of Selvedge the peers begin with.
    pub installation: Installation,
}

impl FabricSpec {
    /// Organisations with everything at its defaults, their peers on `node-1`.
    pub fn new(namespace: &str, organisations: &[&str]) -> Self {
        Self {
            namespace: namespace.to_owned(),
            organisations: organisations.iter().map(|&name| name.to_owned()).collect(),
            node: "node-1".to_owned(),
            settings: Vec::new(),
            launchers: BTreeMap::new(),
            environment: BTreeMap::new(),
            propagated: Vec::new(),
            tolerations: Vec::new(),
            before: Vec::new(),
            installation: Installation::SameNamespace,
        }
    }

    /// The same with another value for a key of the launchers' file ([`OperatorsFile::say`]).
    #[must_use]
    pub fn say(mut self, path: &str, value: Value) -> Self {
        self.settings.push((path.to_owned(), value));
        self
    }

    /// The same with a variable of the peers' that their builders get.
    #[must_use]
    pub fn tell_builders(mut self, variable: &str, value: &str) -> Self {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self.propagated.push(variable.to_owned());
        self
    }
}

/// A running network. Dropping it ends the orderer and deletes the namespace.
pub struct Fabric {
    peers: Vec<PeerPod>,
    network: RemoteNetwork,
    namespace: Arc<Namespace>,
    kubectl: Kubectl,
}

impl Fabric {
    /// Raises it: returns when all peers are on the channel.
    pub async fn raise(
        cluster: &Cluster,
        images: &Images,
        binaries: &Binaries,
        spec: &FabricSpec,
    ) -> Result<Self, FabricError> {
        let namespace = Arc::new(cluster.namespace(&spec.namespace).await?);
        // The API server itself sees to it that nothing here is more than restricted.
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        namespace.kubectl(&["label", "namespace", namespace.name(), restricted])?;
        for object in &spec.before {
            namespace.apply(object)?;
        }
        let mut sites = Vec::new();
        for msp_id in &spec.organisations {
            sites.push(site(cluster, &namespace, &Organisation::new(msp_id)).await?);
        }
        let stock = || images::ccaas_builder();
        let peers = spec.organisations.iter().map(|msp_id| PeerSpec::new(msp_id, stock()));
        let network_spec = NetworkSpec::new(peers.collect());
        let network = RemoteNetwork::start(binaries, &network_spec, cluster.host_address(), sites)?;
        let kubectl = cluster.kubectl().clone();
        let mut fabric = Self { peers: Vec::new(), network, namespace, kubectl };
        fabric.raise_peers(cluster, images, spec)?;
        for peer in &fabric.peers {
            peer.await_serving().await?;
        }
        fabric.network.join_channel()?;
        fabric.await_gossip().await?;
        Ok(fabric)
    }

    fn raise_peers(
        &mut self,
        cluster: &Cluster,
        images: &Images,
        spec: &FabricSpec,
    ) -> Result<(), FabricError> {
        outside::grant(cluster, &self.namespace)?;
        let mut file = default_file(cluster, images);
        for (path, value) in &spec.settings {
            file.say(path, value.clone());
        }
        for client in self.network.peers() {
            let peer = PeerPod::new(client.clone(), Arc::clone(&self.namespace), file.clone());
            outside::volumes(cluster, &peer)?;
            let overlay = Overlay {
                namespace: &spec.namespace,
                peer: client,
                images,
                node: &spec.node,
                file: &file,
                launchers: &spec.launchers,
                environment: &spec.environment,
                propagated: &spec.propagated,
                tolerations: &spec.tolerations,
            };
            write_overlay(&self.overlay(&peer), &overlay)?;
            self.install(&peer, spec.installation)?;
            self.peers.push(peer);
        }
        Ok(())
    }

    /// Applies the kustomization by which a peer has so much of Selvedge.
    pub fn install(&self, peer: &PeerPod, installation: Installation) -> Result<(), KubectlError> {
        let dir = self.overlay(peer).join(installation.kustomization());
        // Not in the one namespace: it may make another.
        self.kubectl.run(&["apply".as_ref(), "-k".as_ref(), dir.as_os_str()]).map(drop)
    }

    /// Where a peer's kustomizations are.
    pub fn overlay(&self, peer: &PeerPod) -> PathBuf {
        self.network.dir().join(peer.organisation().name()).join("overlay")
    }

    /// With several organisations, waits until each peer sees all others on the channel.
    async fn await_gossip(&self) -> Result<(), FabricError> {
        for peer in &self.peers {
            let others = self.peers.iter().filter(|other| other.msp_id() != peer.msp_id());
            for other in others {
                let address = other.address().to_string();
                until(&format!("{} in gossip", other.msp_id()), GOSSIP_LIMIT, async || {
                    let log = peer.log("peer").await?;
                    let seen =
                        |line: &str| line.contains("Membership view") && line.contains(&address);
                    log.lines().any(seen).then_some(()).ok_or_else(|| "not seen".to_owned())
                })
                .await?;
            }
        }
        Ok(())
    }

    /// The peer of the organisation with that MSP ID.
    ///
    /// # Panics
    ///
    /// When the specification named no such organisation.
    pub fn peer(&self, msp_id: &str) -> &PeerPod {
        let peer = self.peers.iter().find(|peer| peer.msp_id() == msp_id);
        peer.unwrap_or_else(|| panic!("the network has no organisation {msp_id}"))
    }

    /// All peers.
    pub fn peers(&self) -> &[PeerPod] {
        &self.peers
    }

    /// The orderer, the channel and the peers as clients see them.
    pub fn network(&self) -> &RemoteNetwork {
        &self.network
    }

    /// The namespace that all of it is in.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The Deployments, and the pods with their nodes, as `kubectl get` shows them. Kubernetes
    /// takes a second to notice of a chaincode that it is up and answers.
    pub fn placement(&self) -> Result<String, KubectlError> {
        let chaincode = "--selector=app.kubernetes.io/name=chaincode";
        // One that does not come up is shown as what it is.
        let _ = self.namespace.kubectl(&[
            "rollout",
            "status",
            "deployment",
            chaincode,
            "--timeout=20s",
        ]);
        let deployments = self.namespace.kubectl(&["get", "deployments"])?;
        let columns = "custom-columns=POD:.metadata.name,NODE:.spec.nodeName,\
                       IP:.status.podIP,STATUS:.status.phase";
        let pods = self.namespace.kubectl(&["get", "pods", "-o", columns])?;
        Ok(format!("{deployments}\n{pods}"))
    }

    /// Leaves everything up when this process ends. Returns the pid to send SIGTERM to, to end the
    /// orderer.
    pub fn keep(self) -> u32 {
        // Its destructor would delete it.
        std::mem::forget(self.peers);
        std::mem::forget(self.namespace);
        self.network.keep()
    }
}

/// What every launcher of the testbed needs to be told.
fn default_file(cluster: &Cluster, images: &Images) -> OperatorsFile {
    let mut file = OperatorsFile::new("kubernetes");
    file.say("health.address", json!(format!("0.0.0.0:{HEALTH_PORT}")));
    file.say("registry.address", json!(format!("{}/selvedge", cluster.registry())));
    file.say("registry.plainHttp", json!(true));
    file.say("builds.toolchains.go.image", json!(images.toolchain));
    file.say("builds.toolchains.node.image", json!(images.node));
    file.say("builds.runtimes.node.image", json!(images.node));
    file.say("builds.toolchains.java.image", json!(images.java));
    file.say("builds.runtimes.java.image", json!(images.java));
    file.say("builds.launcherImage", json!(images.launcher));
    file
}

/// A node port for the peer: the same address for clients on this machine, for pods and for other
/// peers, whichever node the peer is on.
async fn site(
    cluster: &Cluster,
    namespace: &Namespace,
    organisation: &Organisation,
) -> Result<Site, FabricError> {
    let name = organisation.name();
    let service = Service {
        metadata: ObjectMeta { name: Some(format!("outside-{name}")), ..ObjectMeta::default() },
        spec: Some(service_spec(&name)),
        ..Service::default()
    };
    let refused = |error| FabricError::Service(name.clone(), Box::new(error));
    let api = namespace.api::<Service>();
    let made = api.create(&PostParams::default(), &service).await.map_err(refused)?;
    let ports = made.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let port = ports.first().and_then(|port| port.node_port).unwrap_or_default();
    let host = cluster.nodes()[0].address().to_string();
    let names = [host.clone(), "127.0.0.1".to_owned(), "localhost".to_owned()]
        .into_iter()
        .chain([format!("peer-{name}.{}.svc", namespace.name())]);
    Ok(Site {
        listen: Address { host: "0.0.0.0".to_owned(), port: 7051 },
        address: Address { host, port: u16::try_from(port).unwrap_or_default() },
        second: Address::local(7052),
        names: names.collect(),
    })
}

fn service_spec(organisation: &str) -> ServiceSpec {
    let labels = [("app.kubernetes.io/name", "fabric-peer"), (INSTANCE, organisation)];
    let port = k8s_openapi::api::core::v1::ServicePort { port: 7051, ..Default::default() };
    ServiceSpec {
        type_: Some("NodePort".to_owned()),
        selector: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ports: Some(vec![port]),
        // A peer serves without its launcher, too.
        publish_not_ready_addresses: Some(true),
        ..ServiceSpec::default()
    }
}

fn write_overlay(dir: &Path, overlay: &Overlay<'_>) -> Result<(), CacheError> {
    let (manifests, base) = (workspace_dir().join("images/kubernetes"), dir.join("base"));
    testbed::copy::copy(&manifests, &base)?;
    for (name, content) in overlay.files()? {
        write(&dir.join(name), format!("{content:#}\n").as_bytes())?;
    }
    Ok(())
}
