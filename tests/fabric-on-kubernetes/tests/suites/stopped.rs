//! A chaincode that the peer stops has no pods, and is the same again when it is started.

use cluster::until;
use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::{Chaincode, Fabric};
use rustix::process::{Signal, kill_process};
use testbed::Definition;

use crate::shared::{
    LIMIT, MSP_ID, build_ledger, deploy_ledger, gateway, on_fabric, on_fabric_alone, one, package,
};
use fabric_on_kubernetes::processes::{Hanging, Process, all, api_server_of, find};

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

#[test]
fn a_chaincode_that_stops_while_the_api_is_away_is_ended_when_that_is_back() {
    on_fabric_alone(&one("stopped-away"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let mut ledger = gateway(fabric, peer, "ledger");
        ledger.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        chaincode.await_running().await.unwrap();

        let absent = Hanging::begin(api_server_of(cluster));
        let is_run = |process: &Process| process.words().next() == Some("/opt/selvedge/bin/run");
        kill_process(find("the chaincode's `run`", is_run), Signal::TERM).unwrap();
        until("the end of the chaincode's `run`", LIMIT, async || {
            if all(is_run).is_empty() { Ok(()) } else { Err("it runs".to_owned()) }
        })
        .await
        .unwrap();
        drop(absent);
        // Long before what an earlier launcher left is swept.
        await_no_pods(&chaincode).await;
        assert_eq!(ledger.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    });
}
