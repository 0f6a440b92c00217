//! Pods and containers die: calls succeed again without a person, and the peer keeps its stream
//! where it is not the peer itself that dies.

use cluster::until;
use e2e::{Gateway, Op};
use fabric_on_kubernetes::{Chaincode, Fabric, FabricSpec, PeerPod};
use k8s_openapi::api::core::v1::Pod;
use kube::api::EvictParams;
use rustix::process::{Signal, kill_process};
use serde_json::json;
use testbed::hanging::hang;

use crate::shared::{
    BUILDER, ENDLESS, LIMIT, MSP_ID, await_registered, deploy_ledger, gateway, on_fabric, one,
};
use fabric_on_kubernetes::processes::{chaincode_in, chaincodes_in, keeper_in, once, resident};

/// What the launcher logs when the peer takes a chaincode as ready: once for each stream.
pub(crate) const READY: &str = "the peer takes the chaincode as ready";

/// What is answered to who has waited for a replica in vain.
const WAITED: &str = "no replica of the chaincode became ready within 2 s";

/// Calls until a call succeeds.
pub(crate) async fn await_answer(gateway: &mut Gateway, wanted: &str) {
    until("an answer", LIMIT, async || match gateway.call(Op::Evaluate, &["Get", "k"]) {
        Ok(value) if value == wanted => Ok(()),
        Ok(value) => Err(value),
        Err(error) => Err(error),
    })
    .await
    .unwrap();
}

/// Deploys a chaincode whose key `k` has the value `kept`.
pub(crate) fn deployed(fabric: &Fabric, peer: &PeerPod) -> (String, Gateway) {
    let package_id = deploy_ledger(fabric, "ledger");
    let mut gateway = gateway(fabric, peer, "ledger");
    gateway.call(Op::Submit, &["Put", "k", "kept"]).unwrap();
    (package_id, gateway)
}

#[test]
fn a_pod_that_is_deleted_or_evicted_is_replaced_and_the_peer_keeps_the_stream() {
    on_fabric(&one("force-delete"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway) = deployed(fabric, peer);
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();

        let load = gateway.start_load(Op::Evaluate, 8, 4000, &["Get", "k"]);
        load.await_start();
        let namespace = fabric.namespace();
        namespace.kubectl(&["delete", "pod", &pod, "--force", "--grace-period=0"]).unwrap();
        let report = load.report();
        // What was in flight fails; what comes while there is no replica waits, and fails only if
        // the cluster takes longer than the peer's channel may be held up.
        let waited = report.errors.iter().filter(|error| error.error.contains(WAITED));
        let waited: u64 = waited.map(|error| error.count).sum();
        assert!(report.failed - waited <= 8, "{report:?}");

        await_answer(&mut gateway, "kept").await;
        let (other, _) = chaincode.await_running().await.unwrap();
        assert_ne!(pod, other);

        // What a drain asks of the API server for each pod of a node.
        let pods = fabric.namespace().api::<Pod>();
        pods.evict(&other, &EvictParams::default()).await.unwrap();
        await_answer(&mut gateway, "kept").await;
        until("a pod in the evicted one's place", LIMIT, async || {
            let (now, _) = chaincode.await_running().await.map_err(|error| error.to_string())?;
            if now == other { Err(now) } else { Ok(()) }
        })
        .await
        .unwrap();
        await_answer(&mut gateway, "kept").await;
        let log = peer.log("launcher").await.unwrap();
        assert_eq!(log.matches(READY).count(), 1, "{log}");
    });
}

#[test]
fn a_chaincode_that_dies_twice_in_a_row_is_back_before_a_call_fails() {
    on_fabric(&one("dying"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway) = deployed(fabric, peer);
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();
        let keeper = keeper_in(&pod);

        // What was in flight is run again on the next one, which comes soon enough the second time,
        // too: the kubelet would have let it wait for 10 s.
        for _ in 0..2 {
            let load = gateway.start_load(Op::Evaluate, 8, 1500, &["Get", "k"]);
            load.await_start();
            kill_process(chaincode_in(&pod), Signal::KILL).unwrap();
            let report = load.report();
            assert_eq!(report.failed, 0, "{report:?}");
        }

        let log = peer.log("peer").await.unwrap();
        let told = "the chaincode ended and is started again: signal: 9";
        assert_eq!(log.matches(told).count(), 2, "{log}");
        // It is the same pod, and its container was not made anew.
        let (still, _) = chaincode.await_running().await.unwrap();
        assert_eq!((still, keeper_in(&pod)), (pod, keeper));
        let memory = resident(keeper);
        assert!(memory < 2 << 10, "the keeper holds {memory} KiB");
    });
}

/// What the peer's log has of a replica that hung.
const REPLACED: &str = "it had lost its connection to the proxy and did not end, and was ended";

/// A light load: transactions that mostly wait, of 200 ms each.
const LIGHT: [&str; 3] = ["Slow", "200", "k"];

/// A network whose chaincode has two replicas.
fn two(namespace: &str) -> FabricSpec {
    one(namespace).say("chaincode.replicas", json!(2))
}

/// The names of the chaincode's two pods, in order.
async fn two_pods(chaincode: &Chaincode) -> Result<[String; 2], String> {
    let pods = chaincode.pods().await.map_err(|error| error.to_string())?;
    let mut names: Vec<String> = pods.into_iter().filter_map(|pod| pod.metadata.name).collect();
    names.sort();
    names.try_into().map_err(|names| format!("{names:?}"))
}

#[test]
fn a_chaincode_that_hangs_is_replaced_and_the_peer_keeps_the_stream() {
    on_fabric(&one("hanging"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway) = deployed(fabric, peer);
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();
        let (process, keeper) = (chaincode_in(&pod), keeper_in(&pod));
        hang(process).unwrap();

        // What it has at that time is run again by who takes its place, unless the machine is so busy
        // that this comes too late: in the same pod, whose keeper starts it.
        if let Err(error) = gateway.call(Op::Evaluate, &["Get", "k"]) {
            assert!(error.contains(WAITED), "{error}");
        }
        await_answer(&mut gateway, "kept").await;
        let (still, _) = chaincode.await_running().await.unwrap();
        assert_eq!((&still, keeper_in(&still)), (&pod, keeper));
        assert_ne!(chaincode_in(&pod), process);
        peer.await_line("peer", &[BUILDER, REPLACED], LIMIT).await.unwrap();
        let log = peer.log("launcher").await.unwrap();
        assert_eq!(log.matches(READY).count(), 1, "{log}");
    });
}

/// Has one of a chaincode's two replicas hang, and returns when another process is in its place. The
/// pods are the same, and the other one's process has done nothing to be replaced.
pub(crate) async fn one_hangs_and_is_replaced_alone(peer: &PeerPod, package_id: &str) {
    await_registered(peer, package_id, 2).await;
    let chaincode = peer.chaincode(package_id).await.unwrap();
    let pods = two_pods(&chaincode).await.unwrap();
    let [one, other] = pods.each_ref().map(|pod| once(chaincode_in(pod)).unwrap());
    hang(one.0).unwrap();
    until("another process in its pod", LIMIT, async || {
        let now: Vec<_> = chaincodes_in(&pods[0]).into_iter().filter_map(once).collect();
        if now.len() == 1 && now[0] != one { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await
    .unwrap();
    peer.await_line("peer", &[BUILDER, REPLACED], LIMIT).await.unwrap();
    await_registered(peer, package_id, 2).await;
    assert_eq!(two_pods(&chaincode).await.unwrap(), pods);
    assert_eq!(once(chaincode_in(&pods[1])), Some(other));
}

#[test]
fn of_two_replicas_the_one_that_hangs_is_replaced_alone_and_no_call_fails() {
    on_fabric(&two("hanging-alone"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway) = deployed(fabric, peer);
        let load = gateway.start_load(Op::Evaluate, 4, ENDLESS, &LIGHT);
        load.await_start();
        one_hangs_and_is_replaced_alone(peer, &package_id).await;
        let report = gateway.end_load(load);
        assert_eq!(report.failed, 0, "{report:?}");
        let log = peer.log("launcher").await.unwrap();
        assert_eq!(log.matches(READY).count(), 1, "{log}");
    });
}

/// As where a container is frozen, or its node hangs.
#[test]
fn one_that_hangs_with_its_keeper_is_replaced_with_the_others_and_no_call_fails() {
    on_fabric(&two("hanging-whole"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway) = deployed(fabric, peer);
        await_registered(peer, &package_id, 2).await;
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let pods = two_pods(&chaincode).await.unwrap();

        let load = gateway.start_load(Op::Evaluate, 4, ENDLESS, &LIGHT);
        load.await_start();
        for process in [keeper_in(&pods[0]), chaincode_in(&pods[0])] {
            hang(process).unwrap();
        }
        let replaced = "its replicas, of which one hung, have been replaced";
        peer.await_line("peer", &[BUILDER, replaced], 2 * LIMIT).await.unwrap();
        await_registered(peer, &package_id, 2).await;
        let report = gateway.end_load(load);
        assert_eq!(report.failed, 0, "{report:?}");
        let log = peer.log("launcher").await.unwrap();
        assert_eq!(log.matches(READY).count(), 1, "{log}");
    });
}

#[test]
fn a_peer_whose_pod_is_deleted_runs_what_was_built() {
    on_fabric(&one("peer-deleted"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, _) = deployed(fabric, peer);
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();

        peer.delete().await.unwrap();
        await_answer(&mut gateway(fabric, peer, "ledger"), "kept").await;
        chaincode.await_running().await.unwrap();
        let now = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
        assert_eq!(now, jobs, "something was built");
    });
}
