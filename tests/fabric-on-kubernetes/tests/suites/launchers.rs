//! Two launchers for one peer: one works, the other says who does, and takes over when that is gone.

use cluster::until;
use e2e::{Gateway, Op};
use fabric_on_kubernetes::{Fabric, FabricSpec, PeerPod};
use k8s_openapi::api::apps::v1::Deployment;
use rustix::process::{Signal, kill_process};

use crate::processes::launcher_of;
use crate::shared::{BUILDER, LIMIT, deploy_ledger, gateway, on_fabric};

/// Both peers' launchers are told that they work for this one.
const PEER: &str = "peer0";

fn call(gateway: &mut Gateway) -> Result<String, String> {
    gateway.call(Op::Evaluate, &["Env", "CORE_CHAINCODE_ID_NAME"])
}

/// The peer whose launcher holds the lease, and the other.
async fn first_and_second(fabric: &Fabric) -> (&PeerPod, &PeerPod) {
    let selector = format!("selvedge.dev/peer=two-launchers.{PEER}");
    let output = "jsonpath={.items[*].spec.holderIdentity}";
    let lease = ["get", "lease", "-l", &selector, "-o", output];
    let holder = until("a holder of the lease", LIMIT, async || {
        let holder = fabric.namespace().kubectl(&lease).map_err(|error| error.to_string())?;
        if holder.is_empty() { Err("nobody".to_owned()) } else { Ok(holder) }
    })
    .await
    .unwrap();
    let [one, other] = fabric.peers() else { panic!("two peers") };
    if holder.contains(one.pod()) { (one, other) } else { (other, one) }
}

#[test]
fn of_two_launchers_for_one_peer_one_works_until_it_is_gone() {
    // The second would at once end what it has not started.
    let spec = FabricSpec::new("two-launchers", &["Org1MSP", "Org2MSP"])
        .setting("SELVEDGE_PEER_NAME", PEER)
        .setting("SELVEDGE_ADOPT_WITHIN", "1");
    on_fabric(&spec, async |_, fabric| {
        let (first, second) = first_and_second(fabric).await;
        let package_id = deploy_ledger(fabric, "ledger");
        call(&mut gateway(fabric, first, "ledger")).unwrap();
        let chaincode = first.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();

        let holder = format!("the launcher of the pod two-launchers/{}/", first.pod());
        let waits = ["waiting for the lease", &holder];
        second.await_line("launcher", &waits, LIMIT).await.unwrap();
        let error = call(&mut gateway(fabric, second, "ledger")).unwrap_err();
        let refusal = format!("this launcher may not act for the peer two-launchers.{PEER}");
        assert!(error.contains(&refusal) && error.contains(&holder), "{error}");
        second.await_line("peer", &[BUILDER, &refusal, &holder], LIMIT).await.unwrap();
        assert_eq!(chaincode.await_running().await.unwrap().0, pod);
        call(&mut gateway(fabric, first, "ledger")).unwrap();
        let log = second.log("launcher").await.unwrap();
        assert!(!log.contains("it is stopped"), "{log}");

        // A launcher that hangs ends nothing when its node is lost.
        kill_process(launcher_of(first), Signal::STOP).unwrap();
        first.lose().unwrap();
        second.await_line("launcher", &["lease is held"], LIMIT).await.unwrap();
        // Now what the first left is the second's to sweep.
        let swept = ["no peer started the chaincode anew", chaincode.name()];
        second.await_line("launcher", &swept, LIMIT).await.unwrap();
        let left = fabric.namespace().api::<Deployment>();
        until("the end of the first's pods", LIMIT, async || {
            let left = left.get(chaincode.name()).await.map_err(|error| error.to_string())?;
            let replicas = left.spec.and_then(|spec| spec.replicas);
            if replicas == Some(0) { Ok(()) } else { Err(format!("{replicas:?}")) }
        })
        .await
        .unwrap();
        let mut gateway = gateway(fabric, second, "ledger");
        until("the second's answer", LIMIT, async || call(&mut gateway)).await.unwrap();
        second.chaincode(&package_id).await.unwrap().await_running().await.unwrap();
    });
}
