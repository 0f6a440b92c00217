//! A launcher that is killed, and a peer: the next run goes on with the pods that there are.

use e2e::{Gateway, Op};
use fabric_on_kubernetes::{Chaincode, Fabric, PeerPod};
use k8s_openapi::api::core::v1::Secret;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::recovery::{READY, await_answer, deployed};
use crate::shared::{BUILDER, LIMIT, MSP_ID, gateway, on_fabric, one};
use fabric_on_kubernetes::processes::{chaincode_in, keeper_in, launcher_of, peer_in};

/// What the launcher logs of a run that goes on with what another has left.
pub(crate) const GOES_ON: &str = "goes on with pods that are there";

/// Of a chaincode, what is to stay as it is.
#[derive(Debug, PartialEq, Eq)]
struct Lasting {
    pod: String,
    keeper: Pid,
    /// The versions of its objects: another one has been written.
    versions: Vec<String>,
}

impl Lasting {
    async fn of(fabric: &Fabric, chaincode: &Chaincode) -> Self {
        let (pod, _) = chaincode.await_running().await.unwrap();
        let keeper = keeper_in(&pod);
        let namespace = fabric.namespace();
        let mut versions = Vec::new();
        let secret = namespace.api::<Secret>().get(chaincode.name()).await.unwrap();
        versions.push(format!("{:?}", secret.metadata.resource_version));
        for kind in ["service", "endpointslice", "networkpolicy"] {
            let version = [kind, chaincode.name(), "-o", "jsonpath={.metadata.resourceVersion}"];
            versions.push(namespace.kubectl(&[&["get"][..], &version].concat()).unwrap());
        }
        // Its status changes by itself.
        let generation = ["deployment", chaincode.name(), "-o", "jsonpath={.metadata.generation}"];
        versions.push(namespace.kubectl(&[&["get"][..], &generation].concat()).unwrap());
        Self { pod, keeper, versions }
    }
}

/// Reads under the death of a process until it is over, and says what it was like.
fn under_load(what: &str, gateway: &mut Gateway, victim: Pid) {
    let load = gateway.start_load(Op::Evaluate, 8, 6000, &["Get", "k"]);
    load.await_start();
    kill_process(victim, Signal::KILL).unwrap();
    let report = load.report();
    assert_eq!(report.wrong, 0, "{report:?}");
    let (failed, trouble) = (report.failed, report.trouble_us / 1000.0);
    eprintln!("{what} killed: {failed} of {} reads failed, over {trouble:.0} ms", report.count);
}

#[test]
fn a_launcher_that_is_killed_is_followed_by_one_that_changes_nothing_of_its_chaincode() {
    on_fabric(&one("launcher-killed"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway) = deployed(fabric, peer);
        let peers = peer.uid().await.unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let before = Lasting::of(fabric, &chaincode).await;
        let process = chaincode_in(&before.pod);

        under_load("launcher", &mut gateway, launcher_of(peer));
        await_answer(&mut gateway, "kept").await;
        peer.await_line("launcher", &[GOES_ON], LIMIT).await.unwrap();
        assert_eq!(Lasting::of(fabric, &chaincode).await, before);
        assert_ne!(chaincode_in(&before.pod), process, "it had no proxy");
        gateway.call(Op::Submit, &["Put", "k", "again"]).unwrap();
        say_launch(peer).await;

        // What took over from them is gone on with as well.
        peer.say("chaincode.environment", json!({ "CHANGED": "1" })).await.unwrap();
        peer.await_line("peer", &[BUILDER, "it runs by its new settings"], LIMIT).await.unwrap();
        let successor = peer.successor(&package_id, &chaincode).await.unwrap();
        let before = Lasting::of(fabric, &successor).await;
        kill_process(launcher_of(peer), Signal::KILL).unwrap();
        await_answer(&mut gateway, "again").await;
        assert_eq!(Lasting::of(fabric, &successor).await, before);
        assert_eq!(peer.uid().await.unwrap(), peers, "the peer was restarted, too");
    });
}

#[test]
fn a_peer_that_is_killed_finds_its_chaincode_as_it_was() {
    on_fabric(&one("peer-killed"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut ledger) = deployed(fabric, peer);
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let before = Lasting::of(fabric, &chaincode).await;

        under_load("peer", &mut ledger, peer_in(peer));
        peer.await_serving().await.unwrap();
        await_answer(&mut gateway(fabric, peer, "ledger"), "kept").await;
        assert_eq!(Lasting::of(fabric, &chaincode).await, before);
        say_launch(peer).await;
    });
}

/// Says how long the last launch took by the launcher's log, for who measures.
async fn say_launch(peer: &PeerPod) {
    let log = peer.log("launcher").await.unwrap();
    let last = |part: &str| log.lines().rfind(|line| line.contains(part)).unwrap_or_default();
    for line in [last("chaincode is to be run"), last(GOES_ON), last(READY)] {
        eprintln!("{line}");
    }
}
