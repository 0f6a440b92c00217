//! What is swept, and what a run keeps from it.

use super::super::scene::{Scene, until};

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
