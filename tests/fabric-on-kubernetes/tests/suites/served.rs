//! Chaincode that is served elsewhere (`ccaas`), in the cluster: servers that somebody else has deployed,
//! which the peer dials, and dials again when they are back.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use cluster::Cluster;
use e2e::{chaincode_dir, package_by_hand};
use fabric_on_kubernetes::Fabric;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Definition, go_program};

use crate::images::{crane, layer};
use crate::living::keeps_what_it_writes;
use crate::shared::{MSP_ID, on_fabric, one, package};

/// Where the servers listen.
const PORT: u16 = 9999;

/// Where their keys and certificates are.
const TLS: &str = "/tls";

#[test]
fn servers_are_dialled_again_plain_and_with_certificates_on_both_sides() {
    let gaps = ("CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG", r#"{"peername": "org1"}"#);
    on_fabric(&one("served").tell_builders(gaps.0, gaps.1), async |cluster, fabric| {
        let image = server(cluster, fabric);
        let connection = json!({ "address": address("plain"), "dial_timeout": "10s" });
        let file = package(fabric, source(&connection).path(), "plain_1.0");
        served(fabric, &image, "plain", (file, BTreeMap::new())).await;

        let authority = Authority::new();
        let [(server_cert, server_key), (client_cert, client_key)] =
            ["org1-mutual", "peer"].map(|name| authority.issue(name));
        let connection = json!({
            "address": address("mutual"),
            "dial_timeout": "10s",
            "tls_required": true,
            "client_auth_required": true,
            "root_cert": authority.root,
            "client_key": client_key,
            "client_cert": client_cert,
        });
        let file = fabric.network().dir().join("mutual.tgz");
        let metadata = json!({ "type": "ccaas", "label": "mutual_1.0" });
        package_by_hand(&metadata, source(&connection).path(), &file);
        let files = BTreeMap::from([
            ("CHAINCODE_TLS_KEY", server_key),
            ("CHAINCODE_TLS_CERT", server_cert),
            ("CHAINCODE_CLIENT_CA_CERT", authority.root.clone()),
        ]);
        served(fabric, &image, "mutual", (file, files)).await;

        let objects = ["get", "deployments,jobs", "-o", "name"];
        assert_eq!(fabric.namespace().kubectl(&objects).unwrap(), "", "something was run");
    });
}

/// As Fabric's samples have it: of each peer another server.
fn address(name: &str) -> String {
    format!("{{{{.peername}}}}-{name}:{PORT}")
}

/// A `connection.json` in a directory of its own.
fn source(connection: &Value) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("connection.json"), connection.to_string()).unwrap();
    directory
}

/// Pushes an image with our own server; its reference.
fn server(cluster: &Cluster, fabric: &Fabric) -> String {
    let program = go_program::obtain(&chaincode_dir("server"), &mut |line| eprintln!("{line}"));
    let root = fabric.network().dir().join("images/server");
    fs::create_dir_all(&root).unwrap();
    fs::copy(program.unwrap(), root.join("server")).unwrap();
    let image = format!("{}/theirs/server:1", cluster.registry());
    let (below, layer) = (cluster.image("busybox"), layer(&root));
    crane(cluster, &["append", "-b", &below, "-f", layer.to_str().unwrap(), "-t", &image]);
    image
}

/// Installs a package, has a server for it, which may have files by the variables that name them, and
/// commits it; kills the server, and goes on.
async fn served(
    fabric: &Fabric,
    image: &str,
    name: &str,
    (package, files): (PathBuf, BTreeMap<&str, String>),
) {
    let peer = fabric.peer(MSP_ID);
    let package_id = peer.install(&package).unwrap();
    let namespace = fabric.namespace();
    for object in objects(image, name, &package_id, &files) {
        namespace.apply(&object).unwrap();
    }
    namespace.await_ready(name).await.unwrap();
    let definition = Definition::new(name);
    peer.approve(&package_id, &definition).unwrap();
    peer.commit(&definition).unwrap();
    keeps_what_it_writes(fabric, name, name).await;
}

/// A server's Secret, Service and pod.
fn objects(
    image: &str,
    name: &str,
    package_id: &str,
    files: &BTreeMap<&str, String>,
) -> [Value; 3] {
    let labels = json!({ "app": name });
    let of_files = files.keys().map(|variable| (*variable, format!("{TLS}/{variable}")));
    let environment: Vec<Value> = of_files
        .chain([
            ("CHAINCODE_ID", package_id.to_owned()),
            ("CHAINCODE_SERVER_ADDRESS", format!("0.0.0.0:{PORT}")),
        ])
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let container = json!({
        "name": "server",
        "image": image,
        "command": ["/server"],
        "env": environment,
        "volumeMounts": [{ "name": "tls", "mountPath": TLS }],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name },
        "stringData": files,
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": format!("org1-{name}") },
        "spec": { "selector": labels, "ports": [{ "port": PORT }] },
    });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [{ "name": "tls", "secret": { "secretName": name } }],
        },
    });
    [secret, service, pod]
}

/// Who vouches for both sides.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    root: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), root }
    }

    /// A certificate for a host's name, and its key, as PEM.
    fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}
