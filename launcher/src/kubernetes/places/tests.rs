//! Chaincode of one peer in several namespaces.

use std::time::Duration;

use selvedge_manifest::Identity;
use tokio::time::{Instant, timeout};

use super::super::mock::Api;
use super::super::replicas::ClusterReplicas;
use super::super::scene::{POD, TIMES, put_pod, start, until};
use super::*;
use crate::backend::{ReplicaEvent, Replicas};

/// Long before a launcher that merely has the lease would be told of.
const SOON: Duration = Duration::from_secs(15);

fn places() -> (Api, Places) {
    let api = Api::default();
    put_pod(&api, POD);
    let places = Places::new(api.ground(POD), TIMES);
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
    let here = places.within(None).unwrap();
    let there = places.within(Some("there")).unwrap();
    let (one, other) = (run(&here, "basic:ab").await, run(&there, "other:cd").await);
    for namespace in ["chaincode", "there"] {
        until("the Deployment", || count(&api, namespace, "deployments") == 1).await;
        assert_eq!(count(&api, namespace, "leases"), 1);
    }
    let same = [places.within(Some("chaincode")), places.within(Some("there"))];
    let same = same.map(|place| place.unwrap().lease);
    assert!(Arc::ptr_eq(&same[0], &here.lease) && Arc::ptr_eq(&same[1], &there.lease));

    drop((one, other));
    places.release().await;
    put_pod(&api, "peer0-b");
    let next = Places::new(api.ground("peer0-b"), TIMES);
    let begun = Instant::now();
    for namespace in [None, Some("there")] {
        next.within(namespace).unwrap().lease.gained().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "the first launcher's leases ran out");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_where_nothing_is_granted_is_told_and_keeps_no_other_chaincode() {
    let (api, places) = places();
    api.forbid("there");
    let mut denied = run(&places.within(Some("there")).unwrap(), "other:cd").await;
    let reason = trouble(&mut denied).await;
    for part in [
        "the service account org1/peer may not get leases in the namespace there",
        "grant it by a Role and a RoleBinding there",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    let served = run(&places.within(None).unwrap(), "basic:ab").await;
    until("the Deployment", || count(&api, "chaincode", "deployments") == 1).await;

    api.refuse_nothing();
    until("the Deployment", || count(&api, "there", "deployments") == 1).await;
    drop((denied, served));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_name_of_a_namespace_is_refused() {
    let (api, places) = places();
    let long = "a".repeat(LONGEST + 1);
    for name in ["", "Org1", "org1/../kube-system", "org.1", "-org1", "org1-", &long] {
        let refused = places.within(Some(name)).err().unwrap().to_string();
        assert!(refused.starts_with(&format!("{name:?} is no name of a namespace")), "{refused}");
    }
    assert!(!api.requests().iter().any(|made| made.contains("org1-")));
    assert!(places.within(Some(&long[1..])).is_ok());
}
