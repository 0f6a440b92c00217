//! Pods whose number follows what there is to do (`chaincode.scaling`).

use cluster::until;
use e2e::Op;
use fabric_on_kubernetes::Chaincode;
use fabric_on_kubernetes::processes::launcher_of;
use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::handover::GOES_ON;
use crate::recovery::await_answer;
use crate::shared::{LIMIT, MSP_ID, await_registered, deploy_ledger, gateway, on_fabric, one};

/// No load of these tests comes so far.
const ENDLESS: u64 = 1_000_000;

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
        let package_id = deploy_ledger(fabric, "tide");
        let mut gateway = gateway(fabric, peer, "tide");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        await_pods(&chaincode, 1).await;

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
