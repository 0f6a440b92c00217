//! Builds in the cluster: once for all peers, and when somebody ends one.

use std::process::Command;

use cluster::{Cluster, until};
use e2e::Op;
use fabric_on_kubernetes::{Fabric, FabricSpec, PeerPod};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use rustix::process::{Signal, kill_process};
use testbed::{Definition, PeerClient, dist_dir};

use crate::shared::{
    BUILDER, LIMIT, MSP_ID, deploy, gateway, new_program, new_source, on_fabric, one, package,
};
use fabric_on_kubernetes::processes::build_in;

/// What the peer keeps of a build: the image that it runs.
fn image(peer: &PeerPod) -> String {
    let script = "cat /var/hyperledger/production/externalbuilder/builds/*/bld/image.json";
    peer.exec("peer", &["sh", "-c", script]).unwrap()
}

/// Waits until a build's pod runs; its name.
pub(crate) async fn await_build(fabric: &Fabric) -> String {
    let pods = fabric.namespace().api::<Pod>();
    let builds = ListParams::default().labels("app.kubernetes.io/name=selvedge-build");
    until("the build's pod", LIMIT, async || {
        let found = pods.list(&builds).await.map_err(|error| error.to_string())?.items;
        let runs = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
        };
        let running = found.iter().find(|pod| runs(pod)).and_then(|pod| pod.metadata.name.clone());
        running.ok_or_else(|| format!("{} pods", found.len()))
    })
    .await
    .unwrap()
}

#[test]
fn two_organisations_that_install_at_once_build_once() {
    let spec = FabricSpec::new("two-orgs", &["Org1MSP", "Org2MSP"]);
    on_fabric(&spec, async |cluster, fabric| {
        deploy(fabric, &new_source(fabric, "two-orgs"), "ledger");
        let events = ["get", "events", "--field-selector", "reason=SuccessfulCreate", "-o", "name"];
        let jobs = fabric.namespace().api::<Job>().list(&ListParams::default()).await.unwrap();
        assert_eq!(jobs.items.len(), 1, "{jobs:?}\n{:?}", fabric.namespace().kubectl(&events));
        let [one, other] = ["Org1MSP", "Org2MSP"].map(|msp_id| image(fabric.peer(msp_id)));
        assert_eq!(one, other);

        let mut client = gateway(fabric, fabric.peer("Org1MSP"), "ledger");
        client.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let mut client = gateway(fabric, fabric.peer("Org2MSP"), "ledger");
        assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");

        // A second opinion on the image.
        let image: serde_json::Value = serde_json::from_str(&one).unwrap();
        let text = |field: &str| image[field].as_str().unwrap().to_owned();
        let reference = format!("{}@{}", text("name"), text("digest"));
        let crane = Command::new(cluster.tools().program("crane"))
            .args(["validate", "--insecure", "--remote", &reference])
            .output()
            .unwrap();
        assert!(crane.status.success(), "{}", String::from_utf8_lossy(&crane.stderr));
        told_beside_it(cluster, &text("name"), &text("digest"));
    });
}

/// What is told of an image is in the registry, where other tools find it and `selvedge inspect` does.
fn told_beside_it(cluster: &Cluster, name: &str, digest: &str) {
    // This registry lists nothing itself.
    let listed = format!("{name}:{}", digest.replace(':', "-"));
    let crane = Command::new(cluster.tools().program("crane"))
        .args(["manifest", "--insecure", &listed])
        .output()
        .unwrap();
    let index: serde_json::Value = serde_json::from_slice(&crane.stdout).unwrap();
    let kinds = index["manifests"].as_array().unwrap().iter().map(|listed| &listed["artifactType"]);
    let expected = ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"];
    assert_eq!(kinds.collect::<Vec<_>>(), expected, "{index}");

    let inspected = Command::new(dist_dir().join("bin/selvedge"))
        .args(["inspect", "--plain-http", "--json", &format!("{name}@{digest}")])
        .output()
        .unwrap();
    assert!(inspected.status.success(), "{inspected:?}");
    let told: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(told["provenance"]["source"], told["source"], "{told}");
    assert_eq!(told["provenance"]["image"], "built", "{told}");
    let parts =
        told["provenance"]["made_with"].as_array().unwrap().iter().map(|part| &part["part"]);
    assert_eq!(parts.collect::<Vec<_>>(), ["source", "base", "toolchain"], "{told}");
    assert!(told["sbom"]["components"].as_u64().unwrap() > 5, "{told}");
}

/// How somebody may end a build, and what the installer is told of it. The pod's name is the Job's
/// with a suffix.
type End = (fn(&Fabric, job: &str, pod: &str), fn(job: &str, pod: &str) -> String);

const ENDS: [End; 3] = [
    (
        |fabric, job, _| drop(fabric.namespace().kubectl(&["delete", "job", job]).unwrap()),
        |job, _| format!("the build's Job {job} was deleted"),
    ),
    (
        |fabric, _, pod| {
            let delete = ["delete", "pod", pod, "--force", "--grace-period=0"];
            fabric.namespace().kubectl(&delete).unwrap();
        },
        |_, pod| format!("the build's pod {pod} was ended from outside: somebody deleted it"),
    ),
    (
        |_, _, pod| kill_process(build_in(pod), Signal::KILL).unwrap(),
        |_, pod| format!("the build's pod {pod} was ended from outside: Error, exit code 137"),
    ),
];

#[test]
fn a_build_that_somebody_ends_fails_the_install_and_not_the_next() {
    on_fabric(&one("build-ended"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "build-ended"), "ended_1.0");
        for (end, said) in ENDS {
            let (client, package) = (PeerClient::clone(peer), file.clone());
            let install = std::thread::spawn(move || client.install(&package));
            let pod = await_build(fabric).await;
            let job = pod.rsplit_once('-').expect("JOB-SUFFIX").0;
            end(fabric, job, &pod);
            install.join().unwrap().unwrap_err();
            peer.await_line("peer", &[BUILDER, &said(job, &pod)], LIMIT).await.unwrap();
        }
        peer.install(&file).unwrap();
        fabric.namespace().kubectl(&["delete", "jobs", "--all"]).unwrap();
        until("the end of the builds' objects", LIMIT, async || {
            let left = ["get", "jobs,secrets,pods,networkpolicies", "-o", "name"];
            let left = fabric.namespace().kubectl(&left).map_err(|error| error.to_string())?;
            if left.contains("selvedge-build") { Err(left) } else { Ok(()) }
        })
        .await
        .unwrap();
    });
}

#[test]
fn an_image_that_disappears_between_install_and_run_is_built_again() {
    on_fabric(&one("image-gone"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "image-gone"), "gone_1.0");
        let package_id = peer.install(&file).unwrap();
        let image: serde_json::Value = serde_json::from_str(&image(peer)).unwrap();
        let text = |field: &str| image[field].as_str().unwrap().to_owned();
        let reference = format!("{}@{}", text("name"), text("digest"));
        let crane = Command::new(cluster.tools().program("crane"))
            .args(["delete", "--insecure", &reference])
            .output()
            .unwrap();
        assert!(crane.status.success(), "{}", String::from_utf8_lossy(&crane.stderr));

        let definition = Definition::new("gone");
        peer.approve(&package_id, &definition).unwrap();
        peer.commit(&definition).unwrap();
        gateway(fabric, peer, "gone").call(Op::Evaluate, &["Get", "k"]).unwrap_err();
        for part in ["is gone or damaged, it is built again", "image-gone: giving up"] {
            peer.await_line("peer", &[part], LIMIT).await.unwrap();
        }
    });
}
