//! Chaincode of one peer in several namespaces.

use std::time::Duration;

use selvedge_manifest::Identity;
use tokio::time::{Instant, timeout};

use super::super::mock::Api;
use super::super::replicas::ClusterReplicas;
use super::super::scene::{POD, configuration, put_pod, start, until};
use super::*;
use crate::backend::{ReplicaEvent, Replicas};

/// Long before a launcher that merely has the lease would be told of.
const SOON: Duration = Duration::from_secs(15);

fn places() -> (Api, Places) {
    let api = Api::default();
    put_pod(&api, POD);
    let places = Places::new(api.ground(POD), configuration());
    (api, places)
}

async fn run(place: &Place, package_id: &str) -> ClusterReplicas {
    let ground = &place.ground;
    let identity = Identity::new(&ground.namespace, package_id, "Org1MSP", &ground.peer);
    start(place, identity, 0).await
}

/// How many objects of a kind the namespace has.
fn count(api: &Api, namespace: &str, kind: &str) -> usize {
    api.objects(&format!("/namespaces/{namespace}/{kind}/"))
}

/// The first trouble that a run tells.
async fn trouble(run: &mut ClusterReplicas) -> String {
    loop {
        let event = timeout(SOON, run.next_event()).await.expect("nothing is told");
        if let Some(ReplicaEvent::Trouble(reason)) = event {
            return reason;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_namespace_has_its_chaincode_and_a_lease_which_is_given_back() {
    let (api, places) = places();
    let here = places.first().clone();
    let there = places.within("there");
    let (one, other) = (run(&here, "basic:ab").await, run(&there, "other:cd").await);
    for namespace in ["chaincode", "there"] {
        until("the Deployment", || count(&api, namespace, "deployments") == 1).await;
        assert_eq!(count(&api, namespace, "leases"), 1);
    }
    let same = [places.within("chaincode"), places.within("there")];
    let same = same.map(|place| place.lease);
    assert!(Arc::ptr_eq(&same[0], &here.lease) && Arc::ptr_eq(&same[1], &there.lease));

    drop((one, other));
    places.release().await;
    put_pod(&api, "peer0-b");
    let next = Places::new(api.ground("peer0-b"), configuration());
    let begun = Instant::now();
    for namespace in ["chaincode", "there"] {
        next.within(namespace).lease.gained().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "the first launcher's leases ran out");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_where_nothing_is_granted_is_told_and_keeps_no_other_chaincode() {
    let (api, places) = places();
    api.forbid("there");
    let mut denied = run(&places.within("there"), "other:cd").await;
    let reason = trouble(&mut denied).await;
    for part in [
        "the service account org1/peer may not get leases in the namespace there",
        "grant it by a Role and a RoleBinding there",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    let served = run(places.first(), "basic:ab").await;
    until("the Deployment", || count(&api, "chaincode", "deployments") == 1).await;

    api.refuse_nothing();
    until("the Deployment", || count(&api, "there", "deployments") == 1).await;
    drop((denied, served));
}
