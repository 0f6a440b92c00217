//! Go chaincode that listens, in the cluster: its pods are found and dialled, and the next ones when
//! they have gone.

use cluster::until;
use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::PeerPod;
use serde_json::{Value, json};

use crate::shared::{LIMIT, MSP_ID, deploy, gateway, on_fabric, one};

/// Waits until both replicas are registered, as who asks the launcher is told.
async fn await_both(peer: &PeerPod) {
    until("both replicas in the launcher's status", LIMIT, async || {
        let told = peer.exec("launcher", &["selvedge", "status", "--json"]).unwrap();
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let registered = &told["chaincodes"][0]["replicas_registered"];
        if *registered == 2 { Ok(()) } else { Err(format!("{told:#}")) }
    })
    .await
    .unwrap();
}

#[test]
fn a_server_has_replicas_that_come_and_go() {
    on_fabric(&one("listening").say("chaincode", json!({"replicas": 2})), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy(fabric, &chaincode_dir("server"), "listening");
        let mut client = gateway(fabric, peer, "listening");
        client.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        await_both(peer).await;

        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let pods = chaincode.pods().await.unwrap();
        let pod = pods[0].metadata.name.as_deref().unwrap();
        fabric.namespace().kubectl(&["delete", "pod", pod, "--wait=true"]).unwrap();
        // The other one is there meanwhile.
        assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        await_both(peer).await;
        assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    });
}
