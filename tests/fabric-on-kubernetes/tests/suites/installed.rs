//! Selvedge is added to peers that know nothing of it, by the component and by the chart, replaced by
//! another version while it is called, and taken out of them again.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use cluster::{Cluster, Namespace, until};
use e2e::{Load, LoadError, Op, chaincode_dir};
use fabric_on_kubernetes::{Fabric, FabricSpec, Installation, PeerPod};
use serde_json::{Value, json};
use testbed::Definition;

use crate::controllers::await_absence;
use crate::granted::assert_exactly;
use crate::manifests::chart;
use crate::recovery::await_answer;
use crate::shared::{LIMIT, build_ledger, gateway, on_fabric, package};

/// Where the chaincode is, of the peer with the component and of that with the chart.
const THERE: [&str; 2] = ["installed-chaincode", "installed-by-chart"];

/// What is said of calls that reach a launcher in its last moment.
const ENDED: [&str; 2] = ["the chaincode is being stopped", "chaincode stream terminated"];

/// Two organisations' peers, which have nothing of Selvedge.
fn plain() -> FabricSpec {
    let spec = FabricSpec::new("installed", &["Org1MSP", "Org2MSP"]);
    FabricSpec { installation: Installation::None, ..spec }
}

fn name(peer: &PeerPod) -> &str {
    peer.pod().trim_end_matches("-0")
}

/// What the peer's StatefulSet is to be.
fn stateful_set(peer: &PeerPod) -> Value {
    let found = ["get", "statefulset", name(peer), "-o", "json"];
    let found = peer.namespace().kubectl(&found).unwrap();
    serde_json::from_str::<Value>(&found).unwrap()["spec"].take()
}

/// Waits until another pod than that serves as the peer.
async fn await_another(peer: &PeerPod, before: &str) {
    until("the peer's new pod", LIMIT, async || {
        let now = peer.uid().await.map_err(|error| error.to_string())?;
        if now == before { Err("the old one is there".to_owned()) } else { Ok(()) }
    })
    .await
    .unwrap();
    peer.await_serving().await.unwrap();
}

/// Brings the peer to another installation by its kustomization.
pub(crate) async fn install(fabric: &Fabric, peer: &PeerPod, installation: Installation) {
    let before = peer.uid().await.unwrap();
    fabric.install(peer, installation).unwrap();
    await_another(peer, &before).await;
}

/// A release of the chart for one peer.
struct Release<'a> {
    cluster: &'a Cluster,
    peer: &'a PeerPod,
}

impl Release<'_> {
    const NAME: &'static str = "selvedge";

    fn helm<A: AsRef<OsStr>>(&self, arguments: &[A]) {
        let output = Command::new(self.cluster.tools().program("helm"))
            .args(["--namespace", self.peer.namespace().name()])
            .args(arguments)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Installs the chart, or brings it to this image; the peer has nothing of it yet.
    fn put(&self, image: &str) {
        let peers =
            json!([{ "kind": "StatefulSet", "name": name(self.peer), "container": "peer" }]);
        let [image, namespace] =
            [format!("image={image}"), format!("chaincode.namespace={}", THERE[1])];
        let [peers, file] = [format!("peers={peers}"), format!("config={}", self.peer.file())];
        let chart = chart();
        self.helm(&[
            "upgrade".as_ref(),
            "--install".as_ref(),
            Self::NAME.as_ref(),
            chart.as_os_str(),
            "--set".as_ref(),
            image.as_ref(),
            "--set".as_ref(),
            namespace.as_ref(),
            "--set-json".as_ref(),
            peers.as_ref(),
            "--set-json".as_ref(),
            file.as_ref(),
        ]);
    }

    /// Does what the release's notes say for its peer, by the ConfigMap's key.
    async fn apply(&self, what: &str) {
        let (peers, name) = (self.peer.namespace(), name(self.peer));
        let before = self.peer.uid().await.unwrap();
        let patch = format!("jsonpath={{.data.{name}-{what}}}");
        let patch = peers.kubectl(&["get", "configmap", "selvedge-peers", "-o", &patch]).unwrap();
        peers.kubectl(&["patch", "statefulset", name, "--patch", &patch]).unwrap();
        await_another(self.peer, &before).await;
    }
}

/// The image of the peer's launcher.
fn image_of(peer: &PeerPod) -> String {
    let output = "jsonpath={.spec.initContainers[?(@.name==\"launcher\")].image}";
    peer.namespace().kubectl(&["get", "pod", peer.pod(), "-o", output]).unwrap()
}

/// Another image of the same launcher, as of another version.
fn another(cluster: &Cluster, image: &str, label: &str) -> String {
    let tag = format!("{}/selvedge-launcher:{label}", cluster.registry());
    let label = format!("selvedge.example/version={label}");
    let run = |arguments: &[&str]| {
        let crane =
            Command::new(cluster.tools().program("crane")).args(arguments).output().unwrap();
        assert!(crane.status.success(), "{}", String::from_utf8_lossy(&crane.stderr));
        String::from_utf8(crane.stdout).unwrap()
    };
    run(&["mutate", "--insecure", image, "--label", &label, "--tag", &tag]);
    run(&["digest", "--insecure", "--full-ref", &tag]).trim().to_owned()
}

/// Gives the launcher that runs another image, and its peer and its pod nothing.
async fn set_image(peer: &PeerPod, image: &str) {
    let (pod, own) = (format!("pod/{}", peer.pod()), format!("launcher={image}"));
    peer.namespace().kubectl(&["set", "image", &pod, &own]).unwrap();
    let status = "{.status.initContainerStatuses[?(@.name==\"launcher\")]";
    let status = format!("jsonpath={status}.imageID}} {status}.ready}}");
    let (_, digest) = image.split_once('@').unwrap();
    until("the launcher of that image", LIMIT, async || {
        let now = ["get", "pod", peer.pod(), "-o", &status];
        let now = peer.namespace().kubectl(&now).map_err(|error| error.to_string())?;
        if now.contains(digest) && now.ends_with("true") { Ok(()) } else { Err(now) }
    })
    .await
    .unwrap();
}

/// That all of the chaincode is there, and that its peer's launcher may act there and not here.
fn assert_apart(cluster: &Cluster, account: &str, peers: &Namespace, there: &Namespace) {
    let held = |namespace: &Namespace| {
        namespace.kubectl(&["get", "deployments,jobs,secrets", "-o", "name"]).unwrap()
    };
    assert!(held(there).contains("deployment.apps/"), "{}", held(there));
    assert!(!held(peers).contains(".apps/") && !held(peers).contains("job"), "{}", held(peers));
    assert_exactly(cluster, account, peers, there);
}

/// Deploys a chaincode that either peer may endorse; its package ID.
fn deploy(fabric: &Fabric) -> String {
    build_ledger(fabric);
    let file = package(fabric, &chaincode_dir("ledger"), "ledger_1.0");
    let definition = Definition {
        signature_policy: Some("OR('Org1MSP.peer','Org2MSP.peer')".to_owned()),
        ..Definition::new("ledger")
    };
    fabric.network().deploy(&file, &definition).unwrap_or_else(|error| panic!("{error}"))
}

/// Names another image in the peer's kustomization, as who edits the file does.
fn edit(fabric: &Fabric, peer: &PeerPod, before: &str, after: &str) {
    let file = fabric.overlay(peer).join("own/peer/kustomization.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let [before, after] = [before, after].map(|image| image.rsplit_once('@').unwrap().1);
    assert!(text.contains(before), "{before}: {text}");
    fs::write(&file, text.replace(before, after)).unwrap();
}

#[test]
fn plain_peers_are_given_selvedge_and_another_version_of_it_and_are_as_they_were_without() {
    on_fabric(&plain(), async |cluster, fabric| {
        let [one, other] = ["Org1MSP", "Org2MSP"].map(|msp_id| fabric.peer(msp_id));
        let before = [one, other].map(stateful_set);
        assert!(!json!(before).to_string().contains("selvedge"), "{before:#?}");
        let there = THERE.map(|name| Arc::new(cluster.adopt(name)));

        install(fabric, one, Installation::OwnNamespace).await;
        let image = image_of(one);
        let release = Release { cluster, peer: other };
        release.put(&image);
        release.apply("attach").await;

        let package_id = deploy(fabric);
        gateway(fabric, one, "ledger").call(Op::Submit, &["Put", "k", "v"]).unwrap();
        for (peer, there) in [one, other].into_iter().zip(&there) {
            gateway(fabric, peer, "ledger").call(Op::Evaluate, &["Get", "k"]).unwrap();
            peer.chaincode_in(there, &package_id).await.unwrap().await_running().await.unwrap();
        }
        assert_apart(cluster, "selvedge-launcher-org1", one.namespace(), &there[0]);
        assert_apart(cluster, "selvedge-launcher", other.namespace(), &there[1]);

        // One peer after the other: who calls the other one notices nothing.
        let next = another(cluster, &image, "next");
        let load = Load::begin(|| gateway(fabric, other, "ledger"));
        edit(fabric, one, &image, &next);
        install(fabric, one, Installation::OwnNamespace).await;
        assert_eq!(image_of(one), next);
        load.assert_unharmed();
        let load = Load::begin(|| gateway(fabric, one, "ledger"));
        release.put(&next);
        release.apply("attach").await;
        assert_eq!(image_of(other), next);
        load.assert_unharmed();

        // The launcher alone, while its peer goes on: who calls this peer waits for the new one. What is
        // with the old one at its end fails, and the gateway has no other peer to go to: it reads, and
        // has endorsed first, where its own organisation's peers are, of which there is but this one.
        let third = another(cluster, &image, "third");
        let pod = one.uid().await.unwrap();
        let load = Load::begin(|| gateway(fabric, one, "ledger"));
        set_image(one, &third).await;
        await_answer(&mut gateway(fabric, one, "ledger"), "v").await;
        let ended = |error: &LoadError| ENDED.iter().any(|reason| error.error.contains(reason));
        for report in load.end() {
            // Each client may meet both, and then waits.
            let bound = 2 * Load::CLIENTS;
            assert!(report.failed <= bound && report.errors.iter().all(ended), "{report:?}");
        }
        assert_eq!(one.uid().await.unwrap(), pod);

        // Without it they are what they were; what is left of their chaincode is stopped, or gone.
        install(fabric, one, Installation::None).await;
        assert_eq!(stateful_set(one), before[0]);
        there[0].kubectl(&["delete", "namespace", THERE[0]]).unwrap();
        release.apply("detach").await;
        fabric.install(other, Installation::None).unwrap();
        other.await_serving().await.unwrap();
        assert_eq!(stateful_set(other), before[1]);
        release.helm(&["uninstall", Release::NAME]);
        await_absence(other.namespace(), "configmap", "selvedge-config").await;
        let left = ["get", "deployments", "-o", "jsonpath={.items[*].spec.replicas}"];
        until("the end of the chaincode", LIMIT, async || {
            let left = there[1].kubectl(&left).map_err(|error| error.to_string())?;
            if left == "0" { Ok(()) } else { Err(left) }
        })
        .await
        .unwrap();
    });
}
