//! Chaincode that listens, in the cluster: its pods are found and dialled, and the next ones when
//! they have gone. It is Go, or an image that somebody else made, whose package says so.

use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::Fabric;
use serde_json::json;

use crate::named::{container, make_with, mirrored, packaged_listening};
use crate::recovery::one_hangs_and_is_replaced_alone;
use crate::shared::{
    MSP_ID, await_registered, deploy_package, gateway, on_fabric_of, package_by_peer,
};

/// How an image of Fabric's samples starts (`docker/docker-entrypoint.sh` and the script
/// `start:server` of `asset-transfer-basic/chaincode-typescript`): whether it has TLS, it asks the
/// variable of those that dial, and its certificate lies where nobody tells it. And it listens at a
/// port of its own choice.
const AS_IN_SAMPLES: &str = "[ $CORE_PEER_TLS_ENABLED = true ] || exit 7; \
    export CHAINCODE_TLS_KEY=/hyperledger/privatekey.pem \
    CHAINCODE_TLS_CERT=/hyperledger/cert.pem CHAINCODE_CLIENT_CA_CERT=/hyperledger/rootcert.pem \
    CHAINCODE_SERVER_ADDRESS=:7000; \
    exec /usr/local/bin/chaincode";

/// One of its pods goes, and the peer notices nothing.
async fn outlives_a_pod(fabric: &Fabric, name: &str, package_id: &str) {
    let peer = fabric.peer(MSP_ID);
    let mut client = gateway(fabric, peer, name);
    client.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    await_registered(peer, package_id, 2).await;

    let chaincode = peer.chaincode(package_id).await.unwrap();
    let pods = chaincode.pods().await.unwrap();
    let pod = pods[0].metadata.name.as_deref().unwrap();
    fabric.namespace().kubectl(&["delete", "pod", pod, "--wait=true"]).unwrap();
    // The other one is there meanwhile.
    assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    await_registered(peer, package_id, 2).await;
    assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
}

#[test]
fn servers_have_replicas_that_come_and_go() {
    on_fabric_of(
        |cluster| mirrored(cluster, "listening").say("chaincode", json!({"replicas": 2})),
        async |cluster, fabric| {
            let source = chaincode_dir("server");
            let package = package_by_peer(fabric, "golang", &source, "listening_1.0");
            let package_id = deploy_package(fabric, &package, "listening");
            outlives_a_pod(fabric, "listening", &package_id).await;
            one_hangs_and_is_replaced_alone(fabric.peer(MSP_ID), &package_id).await;

            let chaincode = fabric.peer(MSP_ID).chaincode(&package_id).await.unwrap();
            let built = container(fabric, chaincode.name())["image"].clone();
            let start = ("listening", AS_IN_SAMPLES);
            let digest = make_with(cluster, fabric, built.as_str().unwrap(), start, 0o755);
            let package = packaged_listening(fabric, "image_1.0", &digest, &json!({"port": 7000}));
            let package_id = deploy_package(fabric, &package, "image");
            outlives_a_pod(fabric, "image", &package_id).await;
        },
    );
}
