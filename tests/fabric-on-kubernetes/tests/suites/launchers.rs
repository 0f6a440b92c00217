//! Two launchers for one peer: one works, the other says who does, and takes over when that is gone.

use cluster::until;
use e2e::{Gateway, Op};
use fabric_on_kubernetes::{Chaincode, Fabric, FabricSpec, PeerPod};
use k8s_openapi::api::apps::v1::Deployment;
use rustix::process::{Signal, kill_process};
use serde_json::json;
use testbed::hanging::hang;

use crate::shared::{BUILDER, LIMIT, deploy_ledger, gateway, on_fabric};
use fabric_on_kubernetes::processes::launcher_of;

/// Both peers' launchers are told that they work for this one.
const PEER: &str = "peer0";

fn call(gateway: &mut Gateway) -> Result<String, String> {
    gateway.call(Op::Evaluate, &["Env", "CORE_CHAINCODE_ID_NAME"])
}

/// Two peers whose launchers work for the same one. The second would at once end what it has not
/// started.
fn two(namespace: &str) -> FabricSpec {
    let mut spec = FabricSpec::new(namespace, &["Org1MSP", "Org2MSP"])
        .say("chaincode.timeouts.adopt", json!("1s"));
    spec.launchers.insert("SELVEDGE_PEER_NAME".to_owned(), PEER.to_owned());
    spec
}

/// The peer whose launcher holds the lease, and the other.
async fn first_and_second(fabric: &Fabric) -> (&PeerPod, &PeerPod) {
    let selector = format!("selvedge.dev/peer={}.{PEER}", fabric.namespace().name());
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

/// How many pods the chaincode is to have.
async fn replicas(fabric: &Fabric, chaincode: &Chaincode) -> Result<Option<i32>, String> {
    let deployment = fabric.namespace().api::<Deployment>().get(chaincode.name()).await;
    let deployment = deployment.map_err(|error| error.to_string())?;
    Ok(deployment.spec.and_then(|spec| spec.replicas))
}

/// Waits until what the first launcher left has been ended by the second.
async fn await_swept(fabric: &Fabric, second: &PeerPod, chaincode: &Chaincode) {
    let swept = ["no peer started the chaincode anew", chaincode.name()];
    second.await_line("launcher", &swept, LIMIT).await.unwrap();
    until("the end of the first's pods", LIMIT, async || {
        let replicas = replicas(fabric, chaincode).await?;
        if replicas == Some(0) { Ok(()) } else { Err(format!("{replicas:?}")) }
    })
    .await
    .unwrap();
}

#[test]
fn of_two_launchers_for_one_peer_one_works_until_it_is_gone() {
    on_fabric(&two("two-launchers"), async |_, fabric| {
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
        hang(launcher_of(first)).unwrap();
        first.lose().unwrap();
        second.await_line("launcher", &["lease is held"], LIMIT).await.unwrap();
        await_swept(fabric, second, &chaincode).await;
        let mut gateway = gateway(fabric, second, "ledger");
        until("the second's answer", LIMIT, async || call(&mut gateway)).await.unwrap();
        second.chaincode(&package_id).await.unwrap().await_running().await.unwrap();
    });
}

#[test]
fn a_launcher_that_hung_until_another_took_over_undoes_nothing_of_what_that_did() {
    on_fabric(&two("two-in-turn"), async |_, fabric| {
        let (first, second) = first_and_second(fabric).await;
        let package_id = deploy_ledger(fabric, "ledger");
        call(&mut gateway(fabric, first, "ledger")).unwrap();
        let chaincode = first.chaincode(&package_id).await.unwrap();
        chaincode.await_running().await.unwrap();

        let launcher = launcher_of(first);
        hang(launcher).unwrap();
        second.await_line("launcher", &["lease is held"], LIMIT).await.unwrap();
        await_swept(fabric, second, &chaincode).await;
        kill_process(launcher, Signal::CONT).unwrap();
        let holder = format!("the launcher of the pod two-in-turn/{}/", second.pod());
        first.await_line("launcher", &[&holder], LIMIT).await.unwrap();
        assert_eq!(replicas(fabric, &chaincode).await, Ok(Some(0)));
        let log = first.log("launcher").await.unwrap();
        assert!(!log.contains("are put right"), "{log}");
        call(&mut gateway(fabric, second, "ledger")).unwrap();
    });
}
