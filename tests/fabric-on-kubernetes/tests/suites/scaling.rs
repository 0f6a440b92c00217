//! Pods whose number follows what there is to do (`chaincode.scaling`).

use cluster::until;
use e2e::{Gateway, Op};
use fabric_on_kubernetes::processes::launcher_of;
use fabric_on_kubernetes::{Chaincode, Fabric};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::handover::GOES_ON;
use crate::recovery::await_answer;
use crate::shared::{
    ENDLESS, LIMIT, MSP_ID, await_registered, deploy_ledger, gateway, on_fabric, one, status,
};

/// The ledger chaincode, whose key `k` has the value `v`, with one pod.
async fn with_one_pod(fabric: &Fabric) -> (String, Gateway, Chaincode) {
    let peer = fabric.peer(MSP_ID);
    let package_id = deploy_ledger(fabric, "tide");
    let mut gateway = gateway(fabric, peer, "tide");
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let chaincode = peer.chaincode(&package_id).await.unwrap();
    await_pods(&chaincode, 1).await;
    (package_id, gateway, chaincode)
}

/// Waits until there are so many pods, of which none is to go.
async fn await_pods(chaincode: &Chaincode, number: usize) {
    until(&format!("{number} pods"), LIMIT, async || {
        let pods = chaincode.pods().await.map_err(|error| error.to_string())?;
        let stay = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count();
        if stay == number && pods.len() == number {
            Ok(())
        } else {
            Err(format!("{} pods, of which {stay} stay", pods.len()))
        }
    })
    .await
    .unwrap();
}

#[test]
fn pods_come_with_what_there_is_to_do_and_go_with_it() {
    let spec = one("scaling")
        .say("chaincode.scaling", json!({ "maxReplicas": 3, "inFlight": 2, "calm": "5s" }))
        .say("chaincode.replay", json!(false));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway, chaincode) = with_one_pod(fabric).await;

        let much = gateway.start_load(Op::Evaluate, 6, ENDLESS, &["Slow", "400", "k"]);
        await_registered(peer, &package_id, 3).await;
        await_pods(&chaincode, 3).await;
        let much = gateway.end_load(much);
        assert_eq!(much.failed, 0, "{much:?}");

        // What goes on has no replica that goes away under it.
        let little = gateway.start_load(Op::Evaluate, 2, ENDLESS, &["Slow", "100", "k"]);
        await_pods(&chaincode, 1).await;
        let little = gateway.end_load(little);
        assert_eq!(little.failed, 0, "{little:?}");

        // Who comes after a launcher begins with as many as that had.
        let much = gateway.start_load(Op::Evaluate, 6, ENDLESS, &["Slow", "400", "k"]);
        await_registered(peer, &package_id, 3).await;
        kill_process(launcher_of(peer), Signal::KILL).unwrap();
        drop(gateway.end_load(much));
        await_answer(&mut gateway, "v").await;
        peer.await_line("launcher", &[GOES_ON], LIMIT).await.unwrap();
        await_pods(&chaincode, 1).await;
    });
}

#[test]
fn whoever_may_scales_the_deployment_and_finds_figures_to_do_it_by() {
    let spec = one("scaled")
        .say("chaincode.scaling", json!({ "maxReplicas": 3, "by": "autoscaler" }))
        .say("chaincode.replay", json!(false));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let (package_id, mut gateway, chaincode) = with_one_pod(fabric).await;
        let told = status(peer, &package_id).unwrap();
        let deployment = told["deployment"].as_str().unwrap();

        let load = gateway.start_load(Op::Evaluate, 4, ENDLESS, &["Slow", "1000", "k"]);
        load.await_start();
        let of = format!(
            r#"{{package_id="{package_id}",msp_id="{MSP_ID}",peer="",deployment="{deployment}"}}"#
        );
        until("the figure", LIMIT, async || {
            let metrics = peer.metrics().map_err(|error| error.to_string())?;
            let told = format!("selvedge_chaincode_transactions_in_flight{of} 4\n");
            if metrics.contains(&told) { Ok(()) } else { Err(metrics) }
        })
        .await
        .unwrap();
        // As a HorizontalPodAutoscaler does it; no more than may be.
        for (number, there) in [("2", 2), ("9", 3), ("1", 1)] {
            let replicas = format!("--replicas={number}");
            let scale = ["scale", "deployment", deployment, &replicas];
            fabric.namespace().kubectl(&scale).unwrap();
            await_registered(peer, &package_id, there).await;
            await_pods(&chaincode, there.try_into().unwrap()).await;
            let told = status(peer, &package_id).unwrap();
            assert_eq!(told["replicas_wanted"], Value::from(there), "{told:#}");
        }
        let report = gateway.end_load(load);
        assert_eq!(report.failed, 0, "{report:?}");
        let log = peer.log("peer").await.unwrap();
        assert!(!log.contains("put right"), "nobody has meddled: {log}");
    });
}
