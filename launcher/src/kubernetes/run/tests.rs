//! A run from its start to its end, beside other hands and an API that fails.

use tokio_util::task::AbortOnDropHandle;

use super::super::scene::{POD, Scene, put_pod, until};
use super::*;

const MOMENT: Duration = Duration::from_secs(10);

async fn applied(scene: &Scene) -> ClusterReplicas {
    let run = scene.run().await;
    until("the Deployment", || scene.deployment().is_some()).await;
    sleep(MOMENT).await;
    run
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_lost_its_lease_while_it_could_not_write_does_not_write_later() {
    let scene = Scene::new().await;
    scene.observed.ready().await;
    scene.api.cut_off(POD, true);
    let run = scene.run().await;
    sleep(MOMENT * 2).await;
    put_pod(&scene.api, "peer0-b");
    let other = Lease::hold(scene.api.ground("peer0-b"));
    other.gained().await;
    assert!(!scene.lease.is_held());

    scene.api.cut_off(POD, false);
    sleep(MOMENT * 6).await;
    assert!(other.is_held() && !scene.lease.is_held());
    let written: Vec<_> =
        scene.api.requests().into_iter().filter(|made| made.starts_with("PATCH")).collect();
    assert_eq!(written, [""; 0]);

    other.release().await;
    until("the Deployment", || scene.deployment().is_some()).await;
    drop(run);
}

#[tokio::test(start_paused = true)]
async fn a_scale_down_that_misses_its_time_is_made_up_for() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    let run = applied(&scene).await;
    scene.api.refuse("PATCH /apis/apps/v1", 500);
    Box::new(run).stop().await;
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 1);
    sleep(MOMENT * 2).await;
    scene.api.refuse_nothing();
    until("the end of the pods", || scene.deployment().unwrap()["spec"]["replicas"] == 0).await;

    // A later run is not swept for what an earlier one left.
    let run = applied(&scene).await;
    sleep(Duration::from_hours(2)).await;
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 1);
    drop((run, sweeper));
}
