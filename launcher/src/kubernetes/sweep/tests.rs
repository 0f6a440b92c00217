//! What is swept, and what a run keeps from it.

use selvedge_manifest::Slot;

use super::super::adopted::Left;
use super::super::scene::{Scene, until};
use crate::backend::Replicas;

#[tokio::test(start_paused = true)]
async fn what_is_to_be_forgotten_is_kept_while_a_run_has_yet_to_apply_it() {
    let scene = Scene::new().await;
    scene.put_forgotten();
    let deployments = &scene.place.observed.deployments;
    until("the Deployment", || !deployments.state().is_empty()).await;
    let sweeper = scene.sweeper();
    let adoption = scene.place.adopted.adopt(&scene.identity.name).await;
    assert!(sweeper.look(&deployments.state(), true).await);
    assert!(scene.api.object(&scene.path("services")).is_some());

    drop(adoption);
    assert!(sweeper.look(&deployments.state(), true).await);
    assert!(scene.api.object(&scene.path("services")).is_none());
}

#[tokio::test(start_paused = true)]
async fn of_a_slot_in_which_nothing_is_nothing_is_asked() {
    let scene = Scene::new().await;
    let run = scene.run().await;
    scene.place.observed.ready().await;
    let other = scene.identity.clone().within(Slot::Second);
    scene.api.refuse(&other.name, 403);
    assert_eq!(scene.place.adopted.left(&other.name), Some(Left::Superseded));
    assert!(scene.sweeper().clear(true).await);
    assert_eq!(scene.place.adopted.left(&other.name), None);
    drop(run);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_deleted_is_not_forgotten_for_a_watch_that_lags_behind() {
    let scene = Scene::new().await;
    let run = scene.run().await;
    let deployments = &scene.place.observed.deployments;
    until("the Deployment", || !deployments.state().is_empty()).await;
    let late = deployments.state();
    Box::new(run).discard().await;
    assert!(scene.sweeper().look(&late, true).await);
    assert_eq!(scene.place.adopted.left(&scene.identity.name), Some(Left::Discarded));
}
