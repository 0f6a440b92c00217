//! Servers of the cluster go away for a while: nothing is lost, the link to the peer stays.

use std::thread;
use std::time::Duration;

use e2e::{Op, chaincode_dir};
use serde_json::json;
use testbed::{Definition, PeerClient};
use tokio::time::sleep;

use crate::builds::await_build;
use crate::shared::{
    BUILDER, LIMIT, MSP_ID, deploy_ledger, gateway, new_program, on_fabric_alone, one, package,
};
use fabric_on_kubernetes::processes::{Hanging, api_server_of};

/// How long it is away: the time is what is tested.
const AWAY: Duration = Duration::from_secs(30);

/// What the launcher logs once for each stream to the peer.
const READY: &str = "the peer takes the chaincode as ready";

#[test]
fn a_build_and_a_run_outlive_the_api_servers_absence() {
    let spec = one("absence").say("chaincode.timeouts.start", json!("20s"));
    on_fabric_alone(&spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let definition = Definition::new("late");
        let late = peer.install(&package(fabric, &chaincode_dir("ledger"), "late_1.0")).unwrap();
        peer.approve(&late, &definition).unwrap();
        let mut ledger = gateway(fabric, peer, "ledger");
        ledger.call(Op::Submit, &["Put", "k", "before"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();
        let file = package(fabric, &new_program(fabric, "absence"), "absence_1.0");
        let client = PeerClient::clone(peer);
        let install = thread::spawn(move || client.install(&file));
        await_build(fabric).await;

        let absent = Hanging::begin(api_server_of(cluster));
        ledger.call(Op::Submit, &["Put", "k", "meanwhile"]).unwrap();
        // The peer starts what is committed. That fails now, of this and of nothing else.
        peer.commit(&definition).unwrap();
        sleep(AWAY).await;
        assert_eq!(ledger.call(Op::Evaluate, &["Get", "k"]).unwrap(), "meanwhile");
        drop(absent);

        let reason = "the chaincode was not started within 20 s (chaincode.timeouts.start): ";
        let parts = [BUILDER, reason, "the Kubernetes API"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        let mut late = gateway(fabric, peer, "late");
        late.call(Op::Submit, &["Put", "k", "late"]).unwrap();
        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
        // The launcher sees again what happens, and does what it should.
        let delete = ["delete", "pod", &pod, "--force", "--grace-period=0"];
        fabric.namespace().kubectl(&delete).unwrap();
        assert_ne!(chaincode.await_running().await.unwrap().0, pod);
        assert_eq!(ledger.call(Op::Evaluate, &["Get", "k"]).unwrap(), "meanwhile");
        let log = peer.log("launcher").await.unwrap();
        let of_ledger = |line: &&str| line.contains(&package_id) && line.contains(READY);
        assert_eq!(log.lines().filter(of_ledger).count(), 1, "{log}");
    });
}

#[test]
fn a_run_outlives_containerds_restart() {
    on_fabric_alone(&one("containerd"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, node) = chaincode.await_running().await.unwrap();

        let node = cluster.nodes().iter().find(|other| other.name() == node).unwrap();
        node.restart_containerd().unwrap();
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        let delete = ["delete", "pod", &pod, "--force", "--grace-period=0"];
        fabric.namespace().kubectl(&delete).unwrap();
        assert_ne!(chaincode.await_running().await.unwrap().0, pod);
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    });
}
