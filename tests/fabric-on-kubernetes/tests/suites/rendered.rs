//! What `selvedge render` tells without a cluster is what the cluster then holds; and what of it is
//! lifted of the pods' security, `selvedge status` tells.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::{Namespace, until};
use e2e::Op;
use fabric_on_kubernetes::{Fabric, PeerPod};
use serde_json::{Value, json};
use testbed::dist_dir;

use crate::shared::{LIMIT, MSP_ID, deploy_ledger, gateway, on_fabric, one};

const NAME: &str = "rendered";

/// What the API, a controller or a run decides of an object.
const DECIDED: [&str; 12] = [
    "/status",
    "/data",
    "/metadata/creationTimestamp",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/ownerReferences",
    "/metadata/resourceVersion",
    "/metadata/uid",
    "/metadata/annotations/deployment.kubernetes.io~1revision",
    "/metadata/annotations/endpoints.kubernetes.io~1last-change-trigger-time",
    "/spec/template/metadata/annotations/selvedge.dev~1credentials",
    "/spec/template/metadata/creationTimestamp",
];

/// How the chaincode runs: something of everything that needs nothing of the cluster.
fn settings() -> Value {
    json!({
        "replicas": 2,
        "tolerations": [{ "key": "spare", "operator": "Exists" }],
        "resources": { "limits": { "memory": "300Mi" } },
        "tmp": "32Mi",
        "environment": {
            "GREETING": "woven",
            "NODE": { "fieldRef": { "fieldPath": "spec.nodeName" } },
            "TOKEN": { "secretKeyRef": { "name": "tokens", "key": "it", "optional": true } },
        },
        "files": { "/etc/app/it": { "configMapKeyRef": { "name": "it", "key": "it", "optional": true } } },
        "hostAliases": [{ "ip": "192.0.2.7", "hostnames": ["db.example.com"] }],
        "annotations": { "team": "assets" },
        "labels": { "cost-center": "42" },
        "egress": [{ "to": [{ "ipBlock": { "cidr": "192.0.2.7/32" } }] }],
        "podTemplate": {
            "spec": {
                "shareProcessNamespace": true,
                "containers": [{ "name": "chaincode", "workingDir": "/tmp" }],
            },
        },
        "allow": ["shareProcessNamespace"],
    })
}

/// Runs `selvedge render`, which prints a List; its items.
fn render(package: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(dist_dir().join("bin/selvedge"))
        .arg("render")
        .arg(package)
        .args(["--json", "--msp", MSP_ID])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// An object as `kubectl` gives it.
fn object(namespace: &Namespace, arguments: &[&str]) -> Value {
    let text = namespace.kubectl(&[arguments, &["-o", "json"]].concat()).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The object without what others decide.
fn undecided(mut object: Value) -> Value {
    for pointer in DECIDED {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.remove(&key);
        }
    }
    object
}

struct Scene<'a> {
    fabric: &'a Fabric,
    peer: &'a PeerPod,
    package: PathBuf,
}

impl Scene<'_> {
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.fabric.network().dir().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What is told of the chaincode whose objects have this name, with what only the cluster knows.
    fn rendered(&self, name: &str) -> Vec<Value> {
        let namespace = self.fabric.namespace();
        let pod = object(namespace, &["get", "pod", self.peer.pod()]);
        let service = object(namespace, &["get", "service", name]);
        let slice = object(namespace, &["get", "endpointslice", name]);
        let deployment = object(namespace, &["get", "deployment", name]);
        let image = deployment.pointer("/spec/template/spec/containers/0/image").unwrap();
        let address = &slice["endpoints"][0]["addresses"][0];
        let proxy = format!("{}:{}", address.as_str().unwrap(), slice["ports"][0]["port"]);
        render(
            &self.package,
            &[
                "--config",
                &self.write("selvedge.yaml", &self.peer.file()),
                "--peer-pod",
                &self.write("pod.json", &pod.to_string()),
                "--peer",
                self.peer.pod(),
                "--image",
                image.as_str().unwrap(),
                "--service-address",
                service["spec"]["clusterIP"].as_str().unwrap(),
                "--proxy",
                &proxy,
            ],
        )
    }
}

/// That who asks the launcher is told of the chaincode, and of what is lifted of its security.
async fn assert_shown(peer: &PeerPod, package_id: &str, name: &str) {
    let status = |arguments: &[&str]| {
        peer.exec("launcher", &[&["selvedge", "status"][..], arguments].concat()).unwrap()
    };
    let namespace = peer.namespace().name();
    let told = until("the replicas in the launcher's status", LIMIT, async || {
        let told: Value = serde_json::from_str(&status(&["--json"])).unwrap();
        let registered = &told["chaincodes"][0]["replicas_registered"];
        if *registered == 2 { Ok(told) } else { Err(format!("{told:#}")) }
    })
    .await
    .unwrap();
    assert_eq!(told["launcher"]["backend"], "kubernetes");
    assert_eq!(told["launcher"]["peer"], peer.pod());
    let chaincode = &told["chaincodes"][0];
    for (key, value) in [
        ("package_id", json!(package_id)),
        ("msp_id", json!(MSP_ID)),
        ("namespace", json!(namespace)),
        ("deployment", json!(name)),
        ("replicas_wanted", json!(2)),
        ("state", json!("ready")),
        ("lifted", json!(["shareProcessNamespace"])),
    ] {
        assert_eq!(chaincode[key], value, "{key}: {told:#}");
    }
    let text = status(&[]);
    for shown in [&format!("{namespace}/{name}"), "lifted by `allow`: shareProcessNamespace\n"] {
        assert!(text.contains(shown), "{shown}:\n{text}");
    }
}

#[test]
fn what_is_rendered_is_what_the_cluster_holds() {
    let spec = one("rendered").say("chaincode", settings());
    on_fabric(&spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, NAME);
        gateway(fabric, peer, NAME).call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let package = fabric.network().dir().join(format!("{NAME}_1.0.tar.gz"));
        let scene = Scene { fabric, peer, package };
        let told = scene.rendered(chaincode.name());
        let kinds: Vec<&str> = told.iter().filter_map(|object| object["kind"].as_str()).collect();
        let all = [
            "Service",
            "Secret",
            "EndpointSlice",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "Deployment",
        ];
        assert_eq!(kinds, all);
        for (number, object_told) in told.iter().enumerate() {
            // The API's own defaults are in what it would hold in the place of what is there.
            let file = scene.write(&format!("{number}.json"), &object_told.to_string());
            let namespace = fabric.namespace();
            let held = object(namespace, &["replace", "--dry-run=server", "--filename", &file]);
            let there = object(namespace, &["get", kinds[number], chaincode.name()]);
            let (held, there) = (undecided(held), undecided(there));
            assert_eq!(held, there, "{}:\n{held:#}\n{there:#}", kinds[number]);
        }

        assert_shown(peer, &package_id, chaincode.name()).await;

        // With nothing known of a cluster, one takes it all the same.
        let elsewhere = cluster.namespace("rendered-elsewhere").await.unwrap();
        let file = scene.write("config.yaml", &peer.file());
        let list = json!({
            "apiVersion": "v1",
            "kind": "List",
            "items": render(&scene.package, &["--config", &file, "--namespace", elsewhere.name()]),
        });
        let list = scene.write("list.json", &list.to_string());
        let taken = ["apply", "--dry-run=server", "--filename", &list];
        assert_eq!(elsewhere.kubectl(&taken).unwrap().lines().count(), all.len());
    });
}
