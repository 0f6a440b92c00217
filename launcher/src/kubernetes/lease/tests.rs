//! Two launchers and one Lease.

use super::super::mock::Api;
use super::super::scene::put_pod;
use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn lease_path() -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/chaincode/leases/{}", name("peer0"))
}

#[tokio::test(start_paused = true)]
async fn the_second_launcher_says_who_is_the_first_and_takes_over_from_it() {
    let api = Api::default();
    put_pod(&api, "peer0-a");
    let first = Lease::hold(api.ground("peer0-a"));
    first.held(MINUTE).await.unwrap();
    let holder = api.object(&lease_path()).unwrap()["spec"]["holderIdentity"].clone();
    assert_eq!(holder, "org1/peer0-a/uid-of-peer0-a");

    let second = Lease::hold(api.ground("peer0-b"));
    let denied = second.held(MINUTE).await.unwrap_err().to_string();
    let expected = "this launcher may not act for the peer peer0: the launcher of the pod \
                    org1/peer0-a/uid-of-peer0-a does, and holds the lease ";
    assert!(denied.starts_with(expected), "{denied}");
    assert!(first.is_held() && !second.is_held());

    first.release().await;
    second.held(MINUTE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_launcher_whose_pod_is_gone_is_not_waited_for() {
    let api = Api::default();
    let killed = Lease::hold(api.ground("peer0-a"));
    killed.held(MINUTE).await.unwrap();
    drop(killed);
    let next = Lease::hold(api.ground("peer0-b"));
    next.held(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_stopped_renewing_is_waited_for_until_its_lease_ends() {
    let api = Api::default();
    put_pod(&api, "peer0-a");
    let stuck = Lease::hold(api.ground("peer0-a"));
    stuck.held(MINUTE).await.unwrap();
    drop(stuck);
    let next = Lease::hold(api.ground("peer0-b"));
    assert!(next.held(DURATION / 2).await.is_err());
    next.held(DURATION).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_held_stays_so_while_the_api_is_away() {
    let api = Api::default();
    let lease = Lease::hold(api.ground("peer0-a"));
    lease.held(MINUTE).await.unwrap();
    for _ in 0..3 {
        api.fail_next(500, "away");
    }
    sleep(INTERVAL * 2).await;
    lease.held(Duration::ZERO).await.unwrap();
}

/// Whether the two are never sure of the Lease at the same time, until the second has it.
async fn change_hands(first: &Lease, second: &Lease) {
    let begun = Instant::now();
    while !second.is_held() {
        assert!(begun.elapsed() < MINUTE, "it does not change hands");
        sleep(Duration::from_millis(250)).await;
        assert!(!(first.is_held() && second.is_held()), "both hold it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_reach_the_api_lets_go_before_another_may_take_over() {
    let api = Api::default();
    put_pod(&api, "peer0-a");
    put_pod(&api, "peer0-b");
    let first = Lease::hold(api.ground("peer0-a"));
    first.held(MINUTE).await.unwrap();
    let second = Lease::hold(api.ground("peer0-b"));
    sleep(INTERVAL).await;
    api.cut_off("peer0-a", true);
    let act = first.act(std::future::pending::<()>());
    let (lost, ()) = tokio::join!(act, change_hands(&first, &second));
    assert!(lost.unwrap_err().is_passing());

    api.cut_off("peer0-a", false);
    sleep(MINUTE).await;
    assert!(second.is_held() && !first.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_renewals_conflict_lets_go() {
    let api = Api::default();
    put_pod(&api, "peer0-a");
    let first = Lease::hold(api.ground("peer0-a"));
    first.held(MINUTE).await.unwrap();
    api.refuse("PUT ", 409);
    sleep(DURATION).await;
    assert!(!first.is_held());
    api.refuse_nothing();
    first.held(MINUTE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_is_told() {
    let api = Api::default();
    api.fail_next(
        403,
        "leases is forbidden: User \"system:serviceaccount:org1:peer\" cannot get resource \
         \"leases\" in API group \"coordination.k8s.io\" in the namespace \"chaincode\"",
    );
    let lease = Lease::hold(api.ground("peer0-a"));
    let denied = lease.held(Duration::from_secs(1)).await.unwrap_err().to_string();
    let expected = "the service account org1/peer may not get leases in the namespace chaincode";
    assert!(denied.contains(expected), "{denied}");
}
