//! Chaincode runs on its peer's node, and goes where its peer goes; or where it is let to.

use std::sync::{Mutex, PoisonError};

use cluster::{Kubectl, until};
use e2e::Op;
use fabric_on_kubernetes::{Chaincode, Fabric};
use serde_json::json;

use crate::shared::{LIMIT, MSP_ID, deploy_ledger, gateway, on_fabric, one};

/// Held by whoever keeps pods from the second node, or needs it.
static SECOND_NODE: Mutex<()> = Mutex::new(());

/// Keeps pods without a toleration from the second node until it is dropped.
struct Reserved<'a>(&'a Kubectl);

impl<'a> Reserved<'a> {
    const TAINT: &'static str = "peers-only=true:NoSchedule";

    fn begin(kubectl: &'a Kubectl) -> Self {
        kubectl.run(&["taint", "nodes", "node-2", Self::TAINT]).unwrap();
        Self(kubectl)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        // With the cluster gone, so is the taint.
        let _ = self.0.run(&["taint", "nodes", "node-2", &format!("{}-", Self::TAINT)]);
        let _ = self.0.run(&["uncordon", "node-2"]);
    }
}

#[test]
fn a_chaincode_runs_on_its_peers_node_and_follows_it() {
    let _second_node = SECOND_NODE.lock().unwrap_or_else(PoisonError::into_inner);
    on_fabric(&one("placement"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        gateway(fabric, peer, "ledger").call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        assert_eq!(peer.node().await.unwrap(), "node-1");
        assert_eq!(chaincode.await_running().await.unwrap().1, "node-1");

        peer.move_to("node-2").await.unwrap();
        assert_eq!(peer.node().await.unwrap(), "node-2");
        assert_eq!(gateway(fabric, peer, "ledger").call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        assert_eq!(chaincode.await_running().await.unwrap().1, "node-2");
        gateway(fabric, peer, "ledger").call(Op::Submit, &["Put", "k", "w"]).unwrap();
    });
}

/// Calls the ledger, and waits until its one pod is on that node.
async fn await_on(fabric: &Fabric, chaincode: &Chaincode, node: &str) {
    until(&format!("the chaincode on {node}"), LIMIT, async || {
        let mut ledger = gateway(fabric, fabric.peer(MSP_ID), "ledger");
        let value = ledger.call(Op::Evaluate, &["Get", "k"])?;
        let (_, on) = chaincode.await_running().await.map_err(|error| error.to_string())?;
        if (value.as_str(), on.as_str()) == ("v", node) { Ok(()) } else { Err(on) }
    })
    .await
    .unwrap();
}

#[test]
fn a_peer_on_a_tainted_node_has_its_chaincode_there_and_elsewhere_if_it_may() {
    let _second_node = SECOND_NODE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut spec = one("affinity");
    spec.node = "node-2".to_owned();
    let (key, effect) = ("peers-only", "NoSchedule");
    spec.tolerations = vec![json!({ "key": key, "operator": "Exists", "effect": effect })];
    on_fabric(&spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let _reserved = Reserved::begin(cluster.kubectl());
        let package_id = deploy_ledger(fabric, "ledger");
        gateway(fabric, peer, "ledger").call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let mut chaincode = peer.chaincode(&package_id).await.unwrap();
        await_on(fabric, &chaincode, "node-2").await;

        // A node that is drained of chaincode: it goes elsewhere if it may, and calls go on.
        for affinity in ["preferred", "none"] {
            peer.say("chaincode.peerNode", json!(affinity)).await.unwrap();
            chaincode = peer.successor(&package_id, &chaincode).await.unwrap();
            let (_, node) = chaincode.await_running().await.unwrap();
            let wanted = ["get", "deployment", chaincode.name(), "-o", "yaml"];
            let wanted = fabric.namespace().kubectl(&wanted).unwrap();
            assert_eq!(wanted.contains("preferredDuringScheduling"), affinity == "preferred");
            assert!(!wanted.contains("requiredDuringScheduling"), "{wanted}");
            assert!(affinity == "none" || node == "node-2", "{affinity}: on {node}");

            let selector =
                format!("--pod-selector=app.kubernetes.io/instance={}", chaincode.name());
            let drain = ["drain", "node-2", &selector, "--delete-emptydir-data"];
            cluster.kubectl().run(&drain).unwrap();
            await_on(fabric, &chaincode, "node-1").await;
            cluster.kubectl().run(&["uncordon", "node-2"]).unwrap();
        }
    });
}
