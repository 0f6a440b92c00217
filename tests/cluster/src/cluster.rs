//! One cluster, from nothing to ready and back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1 as core;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use testbed::cache::CacheError;
use testbed::process::Server;
use testbed::scratch::Scratch;

use crate::certificates::Authority;
use crate::configuration;
use crate::control_plane::ControlPlane;
use crate::dns;
use crate::ground::{Ground, write};
use crate::kubeconfig::kubeconfig;
use crate::kubectl::Kubectl;
use crate::network::Lan;
use crate::node::Node;
use crate::registry::GuardedRegistry;
use crate::start_error::StartError;
use crate::tools::Tools;
use crate::wait::{Overdue, until};

/// The API server is ready within 10 s; beside a compiler that takes both processors, longer.
const API_LIMIT: Duration = Duration::from_mins(2);

/// From the API server's readiness to that of the nodes and of `CoreDNS`.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// What cluster is wanted.
#[derive(Clone, Copy, Debug)]
pub struct ClusterSpec {
    /// How many nodes, from 1 to 9.
    pub nodes: u8,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self { nodes: 2 }
    }
}

/// A running cluster. Dropping it ends it and leaves nothing of it.
///
/// When the process that started it ends in any other way, the cluster ends too.
pub struct Cluster {
    // Dropped in this order: with the machines, everything on them ends at once.
    ground: Ground,
    nodes: Vec<Node>,
    control: ControlPlane,
    client: Client,
    kubectl: Kubectl,
    tools: Tools,
    scratch: Scratch,
}

impl Cluster {
    /// Raises a cluster, and returns when its nodes and its name server are ready: about ten
    /// seconds on an idle machine.
    pub async fn start(tools: &Tools, spec: ClusterSpec) -> Result<Self, StartError> {
        let scratch = Scratch::create()?;
        let names: Vec<String> = ["control".to_owned()]
            .into_iter()
            .chain((1..=spec.nodes).map(|node| format!("node-{node}")))
            .collect();
        let ground = Ground::start(scratch.dir(), &names, &tools.search_path())?;
        let lan = ground.lan;
        let authority = Authority::create()?;
        let control = ControlPlane::start(&ground.machines[0], lan, tools, &authority)?;
        let nodes = (1..)
            .zip(&ground.machines[1..])
            .map(|(number, machine)| Node::start(machine, number, lan, tools))
            .collect::<Result<Vec<_>, StartError>>()?;

        let path = scratch.dir().join("kubeconfig");
        let admin = authority.client("admin", Some("system:masters"))?;
        write(&path, kubeconfig(&lan.api(), &authority.certificate(), &admin).to_string())?;
        let kubectl = Kubectl { program: tools.program("kubectl"), kubeconfig: path };
        let client = connect(&kubectl.kubeconfig).await?;
        let tools = tools.clone();
        let mut cluster = Self { ground, nodes, control, client, kubectl, tools, scratch };
        cluster.settle(&authority).await?;
        Ok(cluster)
    }

    /// From a starting API server to a cluster that is ready.
    async fn settle(&mut self, authority: &Authority) -> Result<(), StartError> {
        self.await_api_server().await?;
        let lan = self.lan();
        let machine = &self.ground.machines[0];
        self.control.follow(machine, lan, &self.tools, authority)?;

        let (servers, forward) = name_servers();
        let resolv_conf = self.scratch.dir().join("resolv.conf");
        write(&resolv_conf, servers)?;
        let id = self.scratch.dir().path().file_name().unwrap_or_default().to_string_lossy();
        for node in &mut self.nodes {
            let cgroup = format!("/{id}/{}", node.name());
            node.join(&self.tools, authority, &cgroup, &resolv_conf)?;
        }
        self.kubectl.apply("kube-system", &dns::manifest(&self.image("coredns"), forward))?;
        self.await_nodes("the nodes' registration", |_| true).await?;
        for node in &mut self.nodes {
            node.guard(&self.tools, authority)?;
        }
        self.await_nodes("the nodes' readiness", is_ready).await?;
        self.await_name_server().await
    }

    async fn await_api_server(&mut self) -> Result<(), StartError> {
        let kubectl = self.kubectl.clone();
        let client = self.client.clone();
        let api_server = &mut self.control.api_server;
        until("the API server", API_LIMIT, async || {
            // A server that ended will not come: that is the value to end the wait with.
            if let Err(ended) = api_server.running() {
                return Ok(Err(ended));
            }
            client.apiserver_version().await.map_err(|e| e.to_string())?;
            let system: Api<core::Namespace> = Api::all(client.clone());
            system.get("kube-system").await.map(|_| Ok(())).map_err(|e| e.to_string())
        })
        .await
        .map_err(|source| overdue(source, &kubectl))?
        .map_err(StartError::Server)
    }

    async fn await_nodes(
        &mut self,
        what: &str,
        wanted: fn(&core::Node) -> bool,
    ) -> Result<(), StartError> {
        let kubectl = self.kubectl.clone();
        let api: Api<core::Node> = Api::all(self.client.clone());
        let nodes = &mut self.nodes;
        until(what, READY_LIMIT, async || {
            if let Err(ended) =
                nodes.iter_mut().flat_map(Node::servers).try_for_each(Server::running)
            {
                return Ok(Err(ended));
            }
            let listed = api.list(&ListParams::default()).await.map_err(|e| e.to_string())?;
            let there = listed.items.iter().filter(|node| wanted(node)).count();
            if there == nodes.len() { Ok(Ok(())) } else { Err(format!("{there} nodes")) }
        })
        .await
        .map_err(|source| overdue(source, &kubectl))?
        .map_err(StartError::Server)
    }

    async fn await_name_server(&self) -> Result<(), StartError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), "kube-system");
        until("the name server", READY_LIMIT, async || {
            let deployment = api.get(dns::DEPLOYMENT).await.map_err(|e| e.to_string())?;
            let status = deployment.status.unwrap_or_default();
            status.available_replicas.filter(|n| *n > 0).ok_or_else(|| format!("{status:?}"))
        })
        .await
        .map(drop)
        .map_err(|source| overdue(source, &self.kubectl))
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// kubectl with all rights.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The kubeconfig's path, which goes with the cluster.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubectl.kubeconfig
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// `ADDRESS:PORT` of the registry, over plain HTTP: the same from this machine, the nodes and
    /// the pods.
    pub fn registry(&self) -> String {
        self.lan().registry()
    }

    /// A registry with the same content that wants a password.
    pub fn guarded_registry(&self) -> GuardedRegistry {
        GuardedRegistry::at(self.lan().guarded_registry())
    }

    /// The reference of an image that is in the registry from the beginning: `busybox` (its entry
    /// point is a shell), `toolchain` (a minimal Debian with this machine's Go and its CA
    /// certificates), `toolchain-c` (the same with a C compiler and Git), `pause`, `coredns`.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}:1", self.registry())
    }

    /// The address of this machine that pods reach.
    pub fn host_address(&self) -> std::net::Ipv4Addr {
        self.lan().host()
    }

    /// The programs that the cluster runs, and those that look at it (`crane`).
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The directory of everything that the cluster writes.
    pub fn dir(&self) -> &Path {
        self.scratch.dir().path()
    }

    /// Where its servers' logs are.
    pub fn logs(&self) -> PathBuf {
        self.dir().join("logs")
    }

    /// Lets the cluster live on when this process ends. [`running`](crate::running) finds it.
    pub fn keep(mut self) -> Result<(), CacheError> {
        let servers = self.nodes.iter_mut().flat_map(Node::servers).chain(self.control.servers());
        servers.for_each(Server::keep);
        self.ground.keep();
        let janitor = self.scratch.keep();
        write(&self.scratch.dir().join(crate::running::JANITOR), janitor.to_string())
    }

    fn lan(&self) -> Lan {
        self.ground.lan
    }
}

fn overdue(source: Overdue, kubectl: &Kubectl) -> StartError {
    StartError::Overdue { report: kubectl.report("kube-system"), source }
}

async fn connect(kubeconfig: &Path) -> Result<Client, StartError> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// What pods' resolv.conf is made of, and whether it names a server at all.
fn name_servers() -> (String, bool) {
    let candidates = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
    let found = candidates
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| configuration::resolv_conf(&text))
        .find(|text| text.contains("nameserver"));
    (found.clone().unwrap_or_default(), found.is_some())
}

fn is_ready(node: &core::Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}
