//! Jobs before an API that is a mock: what is made, and what is made again.

use std::net::SocketAddr;

use serde_json::Value;

use super::super::super::mock::Api as Cluster;
use super::super::manifest::tests::{order, settings};
use super::*;

const QUOTA: &str = "Operation cannot be fulfilled on resourcequotas \"small\": the object has been \
                     modified; please apply your changes to the latest version and try again";

fn job_path(order: &BuildOrder<'_>) -> String {
    format!("/apis/batch/v1/namespaces/chaincode/jobs/{}", manifest::name(order.key))
}

fn is_suspended(job: &Value) -> bool {
    job["spec"]["suspend"] == true
}

#[tokio::test(start_paused = true)]
async fn what_a_quotas_conflict_kept_from_being_made_is_made_again() {
    let cluster = Cluster::default();
    let ground = cluster.ground("peer0-a");
    let settings = settings(&[]);
    let order = order(&settings);
    cluster.fail_next(409, QUOTA);
    let Begun::Ours(job) = begin(&ground, &order).await.unwrap() else {
        panic!("there was no Job to find");
    };
    let launcher = SocketAddr::new(ground.pod.ip, 7059);
    for _ in 0..2 {
        cluster.fail_next(409, QUOTA);
    }
    job.release(&order, "http://10.1.2.3:7059/0f1e2d", launcher, &[]).await.unwrap();
    let requests = cluster.requests();
    let made: Vec<&str> =
        requests.iter().filter_map(|request| request.strip_prefix("POST ")).collect();
    assert_eq!(made.len(), 3, "{made:?}");
    for kind in ["/jobs/", "/secrets/", "/networkpolicies/"] {
        assert!(made.iter().any(|path| path.contains(kind)), "no {kind} in {made:?}");
    }
    assert!(!is_suspended(&cluster.object(&job_path(&order)).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_there_is_found() {
    let cluster = Cluster::default();
    let settings = settings(&[]);
    let order = order(&settings);
    let ground = cluster.ground("peer0-a");
    assert!(matches!(begin(&ground, &order).await.unwrap(), Begun::Ours(_)));
    let other = cluster.ground("peer1-a");
    let Begun::There(job) = begin(&other, &order).await.unwrap() else {
        panic!("made although it was there");
    };
    assert_eq!(job.begun_by(), Some(order.begun_by));
}
