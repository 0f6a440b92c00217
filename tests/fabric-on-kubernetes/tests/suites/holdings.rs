//! What a build's pod holds and may reach: tried from inside, while it compiles.

use std::net::TcpListener;
use std::process::Command;
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cluster::{Cluster, until};
use fabric_on_kubernetes::Fabric;
use rustix::process::{Signal, kill_process};
use serde_json::json;
use testbed::PeerClient;
use testbed::hanging::hang;

use crate::builds::await_build;
use crate::confinement::Unconfined;
use crate::registries::{SECRET, credentials};
use crate::shared::{
    BUILDER, LIMIT, MSP_ID, PROMPT, new_program, on_fabric, on_fabric_of, one, package,
};
use fabric_on_kubernetes::processes::build_in;

/// Where a program that was let in by a compiler could find what it should not have.
const EVERYWHERE: &str =
    "/proc/*/environ /work /selvedge /etc /home /opt /root /run /srv /tmp /var";

/// A server where a cloud has one that tells its machines what they may know: an address of the
/// world like any other.
struct Metadata {
    address: String,
    _listener: TcpListener,
}

impl Metadata {
    /// Azure's.
    const ADDRESS: &str = "168.63.129.16";

    fn begin() -> Self {
        // This machine's own, so that nothing is sent anywhere else.
        Self::own("add").unwrap();
        let listener = TcpListener::bind((Self::ADDRESS, 0)).unwrap();
        Self { address: listener.local_addr().unwrap().to_string(), _listener: listener }
    }

    fn own(verb: &str) -> Result<(), String> {
        let address = format!("{}/32", Self::ADDRESS);
        let done = Command::new("ip").args(["address", verb, &address, "dev", "lo"]).output();
        let done = done.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() || said.contains("File exists") { Ok(()) } else { Err(said) }
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = Self::own("delete");
    }
}

/// The shell of a build's pod.
struct Inside<'a> {
    fabric: &'a Fabric,
    pod: String,
}

impl Inside<'_> {
    fn run(&self, script: &str) -> Result<String, String> {
        let exec = ["exec", &self.pod, "-c", "compile", "--", "timeout", "3", "bash", "-c", script];
        self.fabric.namespace().kubectl(&exec).map_err(|error| error.to_string())
    }

    /// Whether a connection is taken at `address`.
    fn reaches(&self, address: &str) -> bool {
        let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
        self.run(&format!("exec 3<>/dev/tcp/{host}/{port}")).is_ok()
    }

    /// The first line of what an HTTP server at `address` answers; nothing when it is not reached.
    fn get(&self, address: &str, path: &str) -> String {
        let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
        let script = format!(
            r"exec 3<>/dev/tcp/{host}/{port} &&
            printf 'GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n' >&3 &&
            head -n 1 <&3"
        );
        self.run(&script).unwrap_or_default()
    }
}

#[test]
fn a_build_holds_no_credential_and_its_address_is_used_up() {
    let guarded = |cluster: &Cluster| {
        let address = cluster.guarded_registry().address;
        one("build-holdings")
            .say("registry.address", json!(format!("{address}/holdings")))
            .say("registry.secret", json!(SECRET))
    };
    on_fabric_of(guarded, async |cluster, fabric| {
        let (peer, registry) = (fabric.peer(MSP_ID), cluster.guarded_registry());
        fabric.namespace().apply(&credentials(&registry, registry.password)).unwrap();
        let file = package(fabric, &new_program(fabric, "build-holdings"), "ledger_1.0");
        let client = PeerClient::clone(peer);
        let install = thread::spawn(move || client.install(&file));
        let inside = Inside { fabric, pod: await_build(fabric).await };
        // What is logged is with the installer while the build goes on.
        peer.await_line("peer", &[BUILDER, "compiling with"], PROMPT).await.unwrap();
        until("the source in the pod", LIMIT, async || inside.run("test -d /work/tools"))
            .await
            .unwrap();

        let account = "/var/run/secrets/kubernetes.io/serviceaccount";
        assert!(inside.run(&format!("test -e {account}")).is_err());
        let login = BASE64_STANDARD.encode(format!("{}:{}", registry.user, registry.password));
        let search = |word: &str| {
            // What cannot be read is no secret of this user's.
            inside.run(&format!("grep -rlsF -e '{word}' {EVERYWHERE} || true")).unwrap()
        };
        let own = search("SELVEDGE_BUILD_URL=");
        assert!(own.contains("/environ"), "nothing is found: {own}");
        for secret in [registry.password, &login] {
            let found = search(secret);
            assert_eq!(found, "", "the registry's password");
        }

        // Its address was good for one use.
        let url =
            inside.run("tr '\\0' '\\n' </proc/1/environ | grep ^SELVEDGE_BUILD_URL=").unwrap();
        let (_, url) = url.trim().split_once("=http://").unwrap();
        let (launcher, path) = url.split_once('/').unwrap();
        let again = inside.get(launcher, &format!("/{path}/source"));
        assert!(again.contains("410"), "{again}");
        // The API server would not know it, and is kept from it.
        let output = "jsonpath={.endpoints[0].addresses[0]}:{.ports[0].port}";
        let api = ["get", "endpointslice", "kubernetes", "-o", output];
        assert_eq!(inside.get(&cluster.kubectl().run(&api).unwrap(), "/"), "");
        assert!(!install.is_finished(), "the build was over too soon to say anything");
        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    });
}

#[test]
fn a_build_reaches_its_launcher_names_and_the_world_and_nothing_inside() {
    on_fabric(&one("build-reach"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "build-reach"), "reach_1.0");
        let client = PeerClient::clone(peer);
        let install = thread::spawn(move || client.install(&file));
        let pod = await_build(fabric).await;
        // It goes on for as long as this test wants.
        hang(build_in(&pod)).unwrap();
        let inside = Inside { fabric, pod: pod.clone() };

        let address = async |namespace: &str, name: &str| {
            let output = "jsonpath={.items[0].status.podIP}";
            let get = ["get", "pods", "-n", namespace, "-l", name, "-o", output];
            cluster.kubectl().run(&get).unwrap()
        };
        let peer_ip = address("build-reach", "app.kubernetes.io/name=fabric-peer").await;
        let names_ip = address("kube-system", "k8s-app=kube-dns").await;
        let credentials = Metadata::begin();
        // Where names are asked for elsewhere, a tunnel could end.
        let tunnel = TcpListener::bind((cluster.host_address(), 53)).unwrap();
        let unconfined = Unconfined::start(cluster, fabric.namespace()).await;
        for forbidden in [
            format!("{peer_ip}:7051"),
            // The name server's pod, at another port.
            format!("{names_ip}:8181"),
            tunnel.local_addr().unwrap().to_string(),
            credentials.address.clone(),
            cluster.registry(),
            format!("{}:10250", cluster.nodes()[0].address()),
            "10.96.0.1:443".to_owned(),
        ] {
            // The firewall takes a moment to learn of a new pod.
            until(&format!("the refusal of {forbidden}"), LIMIT, async || {
                if inside.reaches(&forbidden) { Err("it was reached".to_owned()) } else { Ok(()) }
            })
            .await
            .unwrap();
            // It is the policy that refuses: without one, the same is open.
            assert!(unconfined.reaches(&forbidden), "nobody reaches {forbidden}");
        }
        assert!(inside.reaches(&format!("{peer_ip}:7059")));
        let named = inside.run("getent hosts kubernetes.default.svc.cluster.local").unwrap();
        assert!(named.starts_with("10.96.0.1 "), "{named}");
        kill_process(build_in(&pod), Signal::CONT).unwrap();
        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    });
}
