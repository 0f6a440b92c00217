//! What another hand does to a chaincode's objects is put right, and said.

use cluster::until;
use e2e::{Gateway, Op};
use fabric_on_kubernetes::{Chaincode, Fabric, PeerPod};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use serde_json::json;

use crate::shared::{LIMIT, MSP_ID, deploy_ledger, gateway, on_fabric, one};

async fn await_one_replica(api: &Api<Deployment>, name: &str) {
    until("one replica", LIMIT, async || {
        let found = api.get(name).await.map_err(|error| error.to_string())?;
        let replicas = found.spec.and_then(|spec| spec.replicas);
        if replicas == Some(1) { Ok(()) } else { Err(format!("{replicas:?}")) }
    })
    .await
    .unwrap();
}

/// Deploys a chaincode whose key `k` has the value `v`.
async fn deployed(fabric: &Fabric, peer: &PeerPod) -> (Chaincode, Gateway) {
    let package_id = deploy_ledger(fabric, "ledger");
    let mut gateway = gateway(fabric, peer, "ledger");
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    (peer.chaincode(&package_id).await.unwrap(), gateway)
}

#[test]
fn a_deployment_that_is_edited_or_deleted_is_put_right() {
    on_fabric(&one("repair"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (chaincode, mut gateway) = deployed(fabric, peer).await;
        let name = chaincode.name();
        let api = fabric.namespace().api::<Deployment>();

        fabric.namespace().kubectl(&["scale", "deployment", name, "--replicas=3"]).unwrap();
        await_one_replica(&api, name).await;
        let parts = ["by another hand; it was put right"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        chaincode.await_running().await.unwrap();

        let uid = api.get(name).await.unwrap().metadata.uid;
        fabric.namespace().kubectl(&["delete", "deployment", name]).unwrap();
        until("another Deployment", LIMIT, async || {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            if found.metadata.uid == uid { Err("the old one".to_owned()) } else { Ok(()) }
        })
        .await
        .unwrap();
        let parts = [name, "was deleted by another hand; it was put right"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        chaincode.await_running().await.unwrap();
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    });
}

#[test]
fn another_hand_that_does_not_give_in_is_told_of_once() {
    on_fabric(&one("fight"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (chaincode, mut gateway) = deployed(fabric, peer).await;
        let name = chaincode.name();
        let wanted = fabric.network().dir().join("wanted.json");
        let two = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": name }, "spec": { "replicas": 2 },
        });
        std::fs::write(&wanted, two.to_string()).unwrap();
        let wanted = wanted.to_str().unwrap();
        let hand = ["apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f"];
        let api = fabric.namespace().api::<Deployment>();
        for _ in 0..5 {
            fabric.namespace().kubectl(&[&hand[..], &[wanted]].concat()).unwrap();
            await_one_replica(&api, name).await;
        }
        peer.await_line("peer", &["by another hand again and again"], LIMIT).await.unwrap();
        let log = peer.log("peer").await.unwrap();
        assert_eq!(log.matches("by another hand").count(), 3, "{log}");
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    });
}
