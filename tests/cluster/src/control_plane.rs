//! etcd, the registries, the API server and what watches it, on a machine of their own.

use std::ffi::OsString;
use std::path::PathBuf;

use testbed::process::{Server, ServerError};
use testbed::registry;

use crate::certificates::{Authority, token_keys};
use crate::ground::Machine;
use crate::kubeconfig::kubeconfig;
use crate::network::{API_PORT, API_SERVICE, GUARDED_REGISTRY_PORT, Lan, REGISTRY_PORT, SERVICES};
use crate::start_error::StartError;
use crate::tools::Tools;

/// The running control plane.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) api_server: Server,
    etcd: Server,
    registries: [Server; 2],
    followers: Vec<Server>,
}

/// The files of the control plane.
struct Files {
    authority: PathBuf,
    server: Pair,
    /// How the API server authenticates to kubelets.
    kubelet_client: Pair,
    token_key: PathBuf,
    token_public_key: PathBuf,
}

struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl ControlPlane {
    /// Starts etcd, the registries and the API server, and does not wait for them.
    pub(crate) fn start(
        machine: &Machine,
        lan: Lan,
        tools: &Tools,
        authority: &Authority,
    ) -> Result<Self, StartError> {
        let files = Files::write(machine, lan, authority)?;
        let api_server = files.api_server_arguments(lan);
        Ok(Self {
            etcd: start_etcd(machine, tools)?,
            registries: [start_registry(machine, tools)?, start_guarded_registry(machine, tools)?],
            api_server: machine.start(
                "kube-apiserver",
                &tools.program("kube-apiserver"),
                api_server,
            )?,
            followers: Vec::new(),
        })
    }

    /// Starts the controller manager and the scheduler, once the API server is ready.
    pub(crate) fn follow(
        &mut self,
        machine: &Machine,
        lan: Lan,
        tools: &Tools,
        authority: &Authority,
    ) -> Result<(), StartError> {
        let own = |user: &str| -> Result<OsString, StartError> {
            let credentials = authority.client(&format!("system:{user}"), None)?;
            let content = kubeconfig(&lan.api(), &authority.certificate(), &credentials);
            let path = machine.write(&format!("{user}.kubeconfig"), content.to_string())?;
            Ok(flag("kubeconfig", path))
        };
        let shared = [
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            // The defaults spread a start over ten seconds.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]
        .map(OsString::from);

        let name = "kube-controller-manager";
        let mut arguments = vec![own(name)?];
        arguments.extend(shared.clone());
        arguments.push("--use-service-account-credentials=true".into());
        arguments.push(flag("root-ca-file", machine.dir.join("ca.crt")));
        let key = machine.dir.join("token.key");
        arguments.push(flag("service-account-private-key-file", key));
        self.followers.push(machine.start(name, &tools.program(name), arguments)?);

        let name = "kube-scheduler";
        let mut arguments = vec![own(name)?];
        arguments.extend(shared);
        arguments.push("--authentication-tolerate-lookup-failure=true".into());
        self.followers.push(machine.start(name, &tools.program(name), arguments)?);
        Ok(())
    }

    pub(crate) fn servers(&mut self) -> impl Iterator<Item = &mut Server> {
        [&mut self.etcd, &mut self.api_server]
            .into_iter()
            .chain(&mut self.registries)
            .chain(&mut self.followers)
    }
}

/// etcd for nobody but the API server: on the machine's loopback, in memory.
fn start_etcd(machine: &Machine, tools: &Tools) -> Result<Server, ServerError> {
    let arguments = [
        "--name=etcd",
        "--data-dir=/run/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=etcd=http://127.0.0.1:2380",
        "--log-level=warn",
    ];
    machine.start("etcd", &tools.debian().program("etcd"), arguments.map(OsString::from))
}

/// The registry over a copy-on-write view of the images in the cache: it begins full, at once.
fn start_registry(machine: &Machine, tools: &Tools) -> Result<Server, StartError> {
    const SCRIPT: &str = r#"mkdir -p "$2/images" "$2/written" "$2/work"
mount -t overlay images -o "lowerdir=$1,upperdir=$2/written,workdir=$2/work" "$2/images" &&
exec "$3" serve "$4""#;
    let home = machine.dir.join("registry");
    let config = registry::configuration(&format!(":{REGISTRY_PORT}"), &home.join("images"));
    let config = machine.write("registry.json", config.to_string())?;
    let program = tools.debian().program("docker-registry");
    let arguments: [OsString; 7] = [
        "-c".into(),
        SCRIPT.into(),
        "registry".into(),
        tools.images().into(),
        home.into(),
        program.into(),
        config.into(),
    ];
    Ok(machine.start("registry", "/bin/sh".as_ref(), arguments)?)
}

/// The registry with a password, over what the other one mounts.
fn start_guarded_registry(machine: &Machine, tools: &Tools) -> Result<Server, StartError> {
    let images = machine.dir.join("registry/images");
    let users = machine.write("htpasswd", registry::HTPASSWD)?;
    let config = registry::guarded(&format!(":{GUARDED_REGISTRY_PORT}"), &images, &users);
    let config = machine.write("guarded-registry.json", config.to_string())?;
    let program = tools.debian().program("docker-registry");
    Ok(machine.start("guarded-registry", &program, ["serve".into(), config.into_os_string()])?)
}

impl Files {
    fn write(machine: &Machine, lan: Lan, authority: &Authority) -> Result<Self, StartError> {
        let pair = |name: &str, credentials: crate::certificates::Credentials| {
            Ok::<_, StartError>(Pair {
                certificate: machine.write(&format!("{name}.crt"), credentials.certificate)?,
                key: machine.write(&format!("{name}.key"), credentials.key)?,
            })
        };
        let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
        let addresses = [lan.control(), API_SERVICE, "127.0.0.1".parse().expect("an address")];
        let (token_key, token_public_key) = token_keys()?;
        Ok(Self {
            authority: machine.write("ca.crt", authority.certificate())?,
            server: pair("api-server", authority.server(&names, &addresses)?)?,
            // A kubelet caches a refusal for half a minute: this group is never refused.
            kubelet_client: pair(
                "kubelet-client",
                authority.client("kube-apiserver-kubelet-client", Some("system:masters"))?,
            )?,
            token_key: machine.write("token.key", token_key)?,
            token_public_key: machine.write("token.pub", token_public_key)?,
        })
    }

    fn api_server_arguments(&self, lan: Lan) -> Vec<OsString> {
        vec![
            format!("--advertise-address={}", lan.control()).into(),
            format!("--secure-port={API_PORT}").into(),
            format!("--service-cluster-ip-range={SERVICES}").into(),
            "--etcd-servers=http://127.0.0.1:2379".into(),
            "--authorization-mode=Node,RBAC".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            // Policies that change objects, which need no server of their own as webhooks do.
            "--feature-gates=MutatingAdmissionPolicy=true".into(),
            "--runtime-config=admissionregistration.k8s.io/v1alpha1=true".into(),
            "--allow-privileged=true".into(),
            flag("client-ca-file", &self.authority),
            flag("tls-cert-file", &self.server.certificate),
            flag("tls-private-key-file", &self.server.key),
            flag("kubelet-certificate-authority", &self.authority),
            flag("kubelet-client-certificate", &self.kubelet_client.certificate),
            flag("kubelet-client-key", &self.kubelet_client.key),
            "--kubelet-preferred-address-types=InternalIP".into(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
            flag("service-account-key-file", &self.token_public_key),
            flag("service-account-signing-key-file", &self.token_key),
        ]
    }
}

/// `--name=value`.
pub(crate) fn flag(name: &str, value: impl Into<OsString>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value.into());
    flag
}
