//! A peer whose images are kept by its own launcher, and by no other registry.

use std::process::Command;

use cluster::{Cluster, KubectlError, until};
use e2e::Op;
use fabric_on_kubernetes::processes::launcher_of;
use fabric_on_kubernetes::{Chaincode, Fabric, FabricSpec, Installation, PeerPod};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::installed::install;
use crate::recovery::await_answer;
use crate::shared::{
    LIMIT, MSP_ID, deploy, gateway, install_again, new_program, new_source, on_fabric, one, package,
};

/// What nodes call the registry, by the component and by default.
const REGISTRY: &str = "localhost:30500";

/// Where chaincode runs first, and then.
const NODES: [&str; 2] = ["node-1", "node-2"];

/// A peer with nothing of Selvedge yet, and an operator's file that names no registry.
fn own(namespace: &str) -> FabricSpec {
    let spec = one(namespace)
        .say("registry.address", Value::Null)
        .say("registry.plainHttp", Value::Null)
        .say("registry.serve", json!({ "limit": "1GiB" }))
        .say("chaincode.peerNode", json!("none"))
        .say("chaincode.nodeSelector", on(NODES[0]));
    FabricSpec { installation: Installation::None, ..spec }
}

fn on(node: &str) -> Value {
    json!({ "kubernetes.io/hostname": node })
}

/// The image of a chaincode's pod, and the Secrets that it is pulled with.
async fn pulled(chaincode: &Chaincode, pod: &str) -> (String, Vec<String>) {
    let mut pods = chaincode.pods().await.unwrap().into_iter();
    let pod = pods.find(|it| it.metadata.name.as_deref() == Some(pod));
    let spec = pod.and_then(|pod| pod.spec).unwrap();
    let secrets = spec.image_pull_secrets.unwrap_or_default();
    (
        spec.containers[0].image.clone().unwrap(),
        secrets.into_iter().map(|secret| secret.name).collect(),
    )
}

/// Waits until the pod's node is said to have pulled the image.
async fn await_pull(fabric: &Fabric, pod: &str, image: &str) {
    let selector = format!("--field-selector=reason=Pulled,involvedObject.name={pod},type=Normal");
    let events = ["get", "events", &selector, "-o", "jsonpath={.items[*].message}"];
    let pulled = format!("Successfully pulled image \"{image}\"");
    until(&format!("a pull for {pod}"), LIMIT, async || {
        let told = fabric.namespace().kubectl(&events).map_err(|error| error.to_string())?;
        if told.contains(&pulled) { Ok(()) } else { Err(told) }
    })
    .await
    .unwrap();
}

/// Who has no password is told nothing, at whichever node's port.
fn assert_closed(cluster: &Cluster) {
    for node in cluster.nodes() {
        let address = node.address();
        let url = format!("http://{address}:30500/v2/selvedge/chaincode/tags/list");
        let asked = Command::new("curl").args(["-sS", &url]).output().unwrap();
        let told = String::from_utf8_lossy(&asked.stdout).into_owned();
        let error = String::from_utf8_lossy(&asked.stderr).into_owned();
        assert!(told.contains("UNAUTHORIZED"), "{told}{error}");
    }
}

/// What the doctor says of the registry, beside the launcher.
fn examined(peer: &PeerPod) -> Value {
    let told = match peer.exec("launcher", &["selvedge", "doctor", "--json"]) {
        // The peer's own configuration is not to be seen there.
        Ok(told) | Err(KubectlError::Failed { stdout: told, .. }) => told,
        Err(error) => panic!("{error}"),
    };
    let told: Value = serde_json::from_str(&told).unwrap();
    let about = format!("registry {REGISTRY}");
    let mut findings = told["findings"].as_array().into_iter().flatten();
    findings.find(|finding| finding["about"] == about).unwrap_or_else(|| panic!("{told}")).clone()
}

/// What a registry of the cluster's says of a repository; an error where it has none.
fn tags(cluster: &Cluster, repository: &str) -> Result<String, String> {
    let crane = cluster.tools().program("crane");
    let done = Command::new(crane).args(["ls", "--insecure", repository]).output().unwrap();
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The Jobs that have built something.
fn jobs(fabric: &Fabric) -> String {
    fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap()
}

#[test]
fn nodes_pull_from_the_launcher_and_another_registry_is_one_key_away() {
    on_fabric(&own("own-registry"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        install(fabric, peer, Installation::OwnRegistry).await;
        let source = new_source(fabric, "own-registry");
        let package_id = deploy(fabric, &source, "ledger");
        let built = jobs(fabric);
        assert_eq!(built.lines().count(), 1, "{built}");
        let mut client = gateway(fabric, peer, "ledger");
        client.call(Op::Submit, &["Put", "k", "kept"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, node) = chaincode.await_running().await.unwrap();
        assert_eq!(node, NODES[0]);
        let (image, secrets) = pulled(&chaincode, &pod).await;
        assert!(image.starts_with(&format!("{REGISTRY}/selvedge/chaincode@sha256:")), "{image}");
        assert_eq!(secrets, [format!("{}-pull", chaincode.name())]);
        await_pull(fabric, &pod, &image).await;
        assert_closed(cluster);
        let told = examined(peer);
        assert_eq!(told["verdict"], "good", "{told}");

        // The launcher that follows has what the one before kept: a node that never had it pulls it.
        kill_process(launcher_of(peer), Signal::KILL).unwrap();
        await_answer(&mut client, "kept").await;
        peer.say("chaincode.nodeSelector", on(NODES[1])).await.unwrap();
        let moved = peer.successor(&package_id, &chaincode).await.unwrap();
        let (pod, node) = moved.await_running().await.unwrap();
        assert_eq!(node, NODES[1]);
        assert_eq!(pulled(&moved, &pod).await.0, image);
        await_pull(fabric, &pod, &image).await;
        await_answer(&mut client, "kept").await;
        fabric.namespace().kubectl(&["delete", "pod", &pod]).unwrap();
        await_answer(&mut client, "kept").await;

        // So has the launcher of another pod of the peer.
        peer.delete().await.unwrap();
        let mut client = gateway(fabric, peer, "ledger");
        await_answer(&mut client, "kept").await;
        install_again(peer, &package(fabric, &source, "again_1.0")).await;
        assert_eq!(jobs(fabric), built, "something was built");

        // A real registry is one key away, and so is the way back.
        let there = format!("{}/moved", cluster.registry());
        tags(cluster, &format!("{there}/chaincode")).unwrap_err();
        peer.say("registry.plainHttp", json!(true)).await.unwrap();
        peer.say("registry.address", json!(there)).await.unwrap();
        let program = new_program(fabric, "moves");
        peer.install(&package(fabric, &program, "there_1.0")).unwrap();
        let moved = tags(cluster, &format!("{there}/chaincode")).unwrap();
        assert!(moved.contains("build-"), "{moved}");
        await_answer(&mut client, "kept").await;
        peer.say("registry.address", Value::Null).await.unwrap();
        install_again(peer, &package(fabric, &source, "back_1.0")).await;
        await_answer(&mut client, "kept").await;
    });
}
