//! Pods are deleted, and nodes drained, under chaincode whose transactions take their time and are
//! never run again: none of them fails.

use cluster::Kubectl;
use e2e::{Gateway, LoadReport, Op, Pending};
use fabric_on_kubernetes::{Chaincode, Fabric, FabricSpec, PeerPod};
use serde_json::{Value, json};

use crate::recovery::READY;
use crate::shared::{
    ENDLESS, MSP_ID, await_registered, deploy_ledger, gateway, on_fabric, on_fabric_alone, one,
    status,
};

/// How long each transaction takes, in ms: many times as long as a pod is told to end.
const TAKES: &str = "400";

/// A network whose chaincode has so many replicas, and is never run again.
fn never_again(namespace: &str, replicas: u32) -> FabricSpec {
    one(namespace)
        .say("chaincode.replicas", json!(replicas))
        .say("chaincode.replay", json!(false))
        .say("chaincode.peerNode", json!("none"))
}

/// Chaincode under load.
struct Loaded<'a> {
    peer: &'a PeerPod,
    package_id: String,
    chaincode: Chaincode,
    gateway: Gateway,
    load: Pending,
}

impl<'a> Loaded<'a> {
    async fn begin(fabric: &'a Fabric, replicas: u32) -> Self {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        await_registered(peer, &package_id, replicas).await;
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let load = gateway.start_load(Op::Evaluate, 8, ENDLESS, &["Slow", TAKES, "k"]);
        load.await_start();
        Self { peer, package_id, chaincode, gateway, load }
    }

    /// A pod of it, and that pod's node.
    async fn pod(&self) -> (String, String) {
        let pod = self.chaincode.pods().await.unwrap().swap_remove(0);
        (pod.metadata.name.unwrap(), pod.spec.and_then(|spec| spec.node_name).unwrap())
    }

    /// Ends the load, after which nobody has noticed anything.
    async fn end(mut self) {
        let report: LoadReport = self.gateway.end_load(self.load);
        assert_eq!(report.failed, 0, "{report:?}");
        let told = status(self.peer, &self.package_id).unwrap();
        for fate in ["transactions_answered", "transactions_run_again"] {
            assert!([&json!(0), &Value::Null].contains(&&told[fate]), "{told:#}");
        }
        let log = self.peer.log("launcher").await.unwrap();
        assert_eq!(log.matches(READY).count(), 1, "{log}");
        assert!(!log.contains("replica is gone"), "told of as lost: {log}");
    }
}

/// Takes pods again when this is dropped.
struct Cordoned<'a>(&'a Kubectl, &'a str);

impl Drop for Cordoned<'_> {
    fn drop(&mut self) {
        // With the cluster gone, there is no node either.
        let _ = self.0.run(&["uncordon", self.1]);
    }
}

#[test]
fn a_node_is_drained_of_several_replicas_and_pods_are_deleted_and_no_call_fails() {
    on_fabric_alone(&never_again("draining", 2), async |cluster, fabric| {
        let loaded = Loaded::begin(fabric, 2).await;
        let name = loaded.chaincode.name();
        let budget = ["get", "poddisruptionbudget", name, "-o", "jsonpath={.spec.maxUnavailable}"];
        assert_eq!(fabric.namespace().kubectl(&budget).unwrap(), "1");

        let (pod, _) = loaded.pod().await;
        fabric.namespace().kubectl(&["delete", "pod", &pod, "--wait"]).unwrap();
        await_registered(loaded.peer, &loaded.package_id, 2).await;

        let (_, node) = loaded.pod().await;
        let _cordoned = Cordoned(cluster.kubectl(), &node);
        let selector = format!("--pod-selector=app.kubernetes.io/instance={name}");
        let drain = ["drain", &node, &selector, "--delete-emptydir-data", "--timeout=2m"];
        cluster.kubectl().run(&drain).unwrap();
        await_registered(loaded.peer, &loaded.package_id, 2).await;
        loaded.end().await;
    });
}

#[test]
fn the_only_replica_serves_until_another_takes_over() {
    on_fabric(&never_again("only-one", 1), async |_, fabric| {
        let loaded = Loaded::begin(fabric, 1).await;
        for _ in 0..2 {
            let (pod, _) = loaded.pod().await;
            fabric.namespace().kubectl(&["delete", "pod", &pod, "--wait"]).unwrap();
            await_registered(loaded.peer, &loaded.package_id, 1).await;
        }
        loaded.end().await;
    });
}
