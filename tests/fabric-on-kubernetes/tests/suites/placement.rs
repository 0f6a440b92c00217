//! Chaincode runs on its peer's node, and goes where its peer goes.

use e2e::Op;

use crate::shared::{MSP_ID, deploy_ledger, gateway, on_fabric, one};

#[test]
fn a_chaincode_runs_on_its_peers_node_and_follows_it() {
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
