//! A chaincode that the peer stops has no pods, and is the same again when it is started.

use cluster::until;
use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::{Chaincode, Fabric};
use testbed::Definition;

use crate::shared::{LIMIT, MSP_ID, build_ledger, gateway, on_fabric, one, package};

/// Makes a package the one that the channel's chaincode is of, which stops the one before.
fn commit(fabric: &Fabric, package_id: &str, sequence: u32) {
    let definition = Definition { sequence, ..Definition::new("ledger") };
    let peer = fabric.peer(MSP_ID);
    peer.approve(package_id, &definition).unwrap();
    peer.commit(&definition).unwrap();
}

async fn await_no_pods(chaincode: &Chaincode) {
    until("the end of the pods", LIMIT, async || {
        let pods = chaincode.pods().await.map_err(|error| error.to_string())?;
        if pods.is_empty() { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    })
    .await
    .unwrap();
}

#[test]
fn a_chaincode_that_is_replaced_has_no_pods_and_comes_back_in_its_own_deployment() {
    on_fabric(&one("stopped"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        build_ledger(fabric);
        let [one, other] = ["ledger_1.0", "ledger_1.1"]
            .map(|label| peer.install(&package(fabric, &chaincode_dir("ledger"), label)).unwrap());
        // The same source has the same image.
        let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
        assert!(jobs.lines().count() <= 1, "{jobs}");

        commit(fabric, &one, 1);
        let mut ledger = gateway(fabric, peer, "ledger");
        ledger.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let first = peer.chaincode(&one).await.unwrap();
        first.await_running().await.unwrap();
        let uid = ["get", "deployment", first.name(), "-o", "jsonpath={.metadata.uid}"];
        let deployment = fabric.namespace().kubectl(&uid).unwrap();

        commit(fabric, &other, 2);
        assert_eq!(ledger.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        let second = peer.chaincode(&other).await.unwrap();
        second.await_running().await.unwrap();
        await_no_pods(&first).await;

        commit(fabric, &one, 3);
        assert_eq!(ledger.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        first.await_running().await.unwrap();
        assert_eq!(fabric.namespace().kubectl(&uid).unwrap(), deployment);
        await_no_pods(&second).await;
    });
}
