//! What a chaincode writes is in the peer's log and in the launcher's while it runs, and can be asked
//! for, with what befalls its pods.

use cluster::until;
use e2e::Op;
use fabric_on_kubernetes::{Fabric, PeerPod};
use serde_json::{Value, json};

use crate::shared::{BUILDER, LIMIT, MSP_ID, PROMPT, deploy_ledger, gateway, on_fabric, one};

#[test]
fn a_line_is_in_both_logs_at_once_also_after_a_new_start() {
    // What crashes its process would crash the next one as well, which then had to wait.
    let spec = one("lines").say("chaincode.replay", json!(false));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut ledger = gateway(fabric, peer, "ledger");
        for line in ["the first of its lines", "a line after a new start"] {
            ledger.call(Op::Evaluate, &["Log", line]).unwrap();
            peer.await_line("peer", &[BUILDER, line], PROMPT).await.unwrap();
            peer.await_line("launcher", &[line], PROMPT).await.unwrap();
            ledger.call(Op::Evaluate, &["Crash"]).unwrap_err();
        }
        let log = peer.log("peer").await.unwrap();
        let once = format!("{BUILDER} the first of its lines");
        assert_eq!(log.matches(&once).count(), 1, "{log}");
        assert_seen(fabric, peer).await;
    });
}

/// Who asks the launcher is told of pods and nodes, and the cluster of what has befallen them.
async fn assert_seen(fabric: &Fabric, peer: &PeerPod) {
    let kubectl = |arguments: &[&str]| -> Value {
        let told = fabric.namespace().kubectl(&[arguments, &["-o", "json"]].concat()).unwrap();
        serde_json::from_str(&told).unwrap()
    };
    let pods = kubectl(&["get", "pods", "--selector=app.kubernetes.io/name=chaincode"]);
    let (pod, node) =
        (&pods["items"][0]["metadata"]["name"], &pods["items"][0]["spec"]["nodeName"]);
    let asked = |arguments: &[&str]| {
        peer.exec("launcher", &[&["selvedge"][..], arguments].concat()).unwrap()
    };
    let chaincode = until("the registered pod in the status", LIMIT, async || {
        let told: Value = serde_json::from_str(&asked(&["status", "--json"])).unwrap();
        let chaincode = told["chaincodes"][0].clone();
        let replica = &chaincode["replicas"][0];
        let is_told =
            &replica["name"] == pod && &replica["node"] == node && replica["state"] == "registered";
        if is_told { Ok(chaincode) } else { Err(format!("{told:#}\n{pods:#}")) }
    })
    .await
    .unwrap();
    let package_id = chaincode["package_id"].as_str().unwrap();
    let lines = asked(&["logs", package_id, "--replica", pod.as_str().unwrap(), "--bare"]);
    assert!(lines.lines().any(|line| line == "a line after a new start"), "{lines}");
    until("an Event of the Deployment", LIMIT, async || {
        let of = "--field-selector=involvedObject.kind=Deployment,reason=ReplicaEnded";
        let events = kubectl(&["get", "events", of]);
        let note = events["items"][0]["message"].as_str().unwrap_or_default();
        let is_told = note.starts_with("a replica ended: exit status: 42")
            && note.contains("ledger: crash on demand")
            && events["items"][0]["involvedObject"]["name"] == chaincode["deployment"];
        if is_told { Ok(()) } else { Err(format!("{events:#}")) }
    })
    .await
    .unwrap();
}
