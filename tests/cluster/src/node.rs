//! A node: containerd, kubelet, kube-proxy and the firewall that enforces `NetworkPolicy` objects.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use testbed::process::{Server, ServerError};

use crate::certificates::Authority;
use crate::configuration;
use crate::control_plane::flag;
use crate::ground::Machine;
use crate::kubeconfig::kubeconfig;
use crate::network::{Lan, SERVICES};
use crate::start_error::StartError;
use crate::tools::Tools;

/// containerd opens its socket within a second; an overloaded machine takes longer.
const CONTAINERD_LIMIT: Duration = Duration::from_secs(30);

/// What it logs then.
const BOOTED: &str = "containerd successfully booted";

/// A node of the cluster.
#[derive(Debug)]
pub struct Node {
    name: String,
    address: Ipv4Addr,
    containerd: Mutex<Server>,
    servers: Vec<Server>,
    machine: Machine,
    lan: Lan,
}

impl Node {
    /// Starts containerd, and does not wait for it. `number` counts nodes from 1.
    pub(crate) fn start(
        machine: &Machine,
        number: u8,
        lan: Lan,
        tools: &Tools,
    ) -> Result<Self, StartError> {
        let registry = lan.registry();
        let plugins = tools.debian().cni_plugins();
        machine.write("cni/pods.conflist", configuration::cni(number, lan).to_string())?;
        for registry in [&registry, &lan.guarded_registry()] {
            let host = configuration::registry_host(registry);
            machine.write(&format!("registries/{registry}/hosts.toml"), host)?;
        }
        let config =
            configuration::containerd(&registry, &tools.debian().runc(), &plugins, &machine.dir);
        let config = machine.write("containerd.toml", config)?;
        let program = tools.debian().program("containerd");
        let containerd = machine.start("containerd", &program, [flag("config", config)])?;
        Ok(Self {
            name: machine.name.clone(),
            address: lan.node(number),
            containerd: Mutex::new(containerd),
            servers: Vec::new(),
            machine: machine.clone(),
            lan,
        })
    }

    /// Starts what needs containerd and the API server.
    pub(crate) fn join(
        &mut self,
        tools: &Tools,
        authority: &Authority,
        cgroup: &str,
        resolv_conf: &Path,
    ) -> Result<(), StartError> {
        locked(&mut self.containerd).await_line(BOOTED, CONTAINERD_LIMIT)?;
        let kubelet = self.kubelet_arguments(authority, cgroup, resolv_conf)?;
        self.add("kubelet", tools, kubelet)?;

        let identity = self.identity(authority, "kube-proxy", "system:kube-proxy", None)?;
        let config = configuration::kube_proxy(&self.name, self.address, &identity);
        let config = self.machine.write("kube-proxy.json", config.to_string())?;
        self.add("kube-proxy", tools, vec![flag("config", config)])?;
        Ok(())
    }

    /// Starts the firewall, which ends when the API server does not know its node yet.
    pub(crate) fn guard(&mut self, tools: &Tools, authority: &Authority) -> Result<(), StartError> {
        let identity =
            self.identity(authority, "kube-router", "kube-router", Some("system:masters"))?;
        self.add("kube-router", tools, self.firewall_arguments(identity))?;
        Ok(())
    }

    fn add(
        &mut self,
        name: &str,
        tools: &Tools,
        arguments: Vec<OsString>,
    ) -> Result<(), ServerError> {
        let server = self.machine.start(name, &tools.program(name), arguments)?;
        self.servers.push(server);
        Ok(())
    }

    fn kubelet_arguments(
        &self,
        authority: &Authority,
        cgroup: &str,
        resolv_conf: &Path,
    ) -> Result<Vec<OsString>, StartError> {
        let machine = &self.machine;
        machine.write("ca.crt", authority.certificate())?;
        let server = authority.server(&[&self.name], &[self.address])?;
        machine.write("kubelet.crt", server.certificate)?;
        machine.write("kubelet.key", server.key)?;
        let user = format!("system:node:{}", self.name);
        let identity = self.identity(authority, "kubelet", &user, Some("system:nodes"))?;
        let config = configuration::kubelet(self.address, cgroup, resolv_conf, &machine.dir);
        let config = machine.write("kubelet.json", config.to_string())?;
        Ok(vec![
            flag("config", config),
            flag("kubeconfig", identity),
            flag("hostname-override", &self.name),
            flag("node-ip", self.address.to_string()),
            flag("cert-dir", machine.dir.join("certificates")),
        ])
    }

    fn firewall_arguments(&self, identity: PathBuf) -> Vec<OsString> {
        vec![
            flag("kubeconfig", identity),
            flag("hostname-override", &self.name),
            flag("service-cluster-ip-range", SERVICES),
            "--run-firewall=true".into(),
            "--run-router=false".into(),
            "--run-service-proxy=false".into(),
        ]
    }

    /// A kubeconfig for one of the node's servers.
    fn identity(
        &self,
        authority: &Authority,
        file: &str,
        user: &str,
        group: Option<&str>,
    ) -> Result<PathBuf, StartError> {
        let credentials = authority.client(user, group)?;
        let content = kubeconfig(&self.lan.api(), &authority.certificate(), &credentials);
        Ok(self.machine.write(&format!("{file}.kubeconfig"), content.to_string())?)
    }

    /// Its name in the cluster: `node-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, which this machine reaches too (for a `NodePort`).
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Ends containerd, as an update of it does, and starts it again; its containers run on.
    pub fn restart_containerd(&self) -> Result<(), ServerError> {
        let mut containerd = self.containerd.lock().unwrap_or_else(PoisonError::into_inner);
        containerd.restart(self.machine.scratch())?;
        containerd.await_line(BOOTED, CONTAINERD_LIMIT).map(drop)
    }

    pub(crate) fn servers(&mut self) -> impl Iterator<Item = &mut Server> {
        [locked(&mut self.containerd)].into_iter().chain(&mut self.servers)
    }
}

fn locked(server: &mut Mutex<Server>) -> &mut Server {
    server.get_mut().unwrap_or_else(PoisonError::into_inner)
}
