//! What is swept, and what a run keeps from it.

use super::super::scene::Scene;

#[tokio::test(start_paused = true)]
async fn what_is_to_be_forgotten_is_kept_while_a_run_has_yet_to_apply_it() {
    let scene = Scene::new().await;
    scene.put_forgotten();
    scene.observed.ready().await;
    let sweeper = scene.sweeper();
    let adoption = scene.adopted.adopt(&scene.identity.name).await;
    assert!(sweeper.look(&scene.observed.deployments.state(), true).await);
    assert!(scene.api.object(&scene.path("services")).is_some());

    drop(adoption);
    assert!(sweeper.look(&scene.observed.deployments.state(), true).await);
    assert!(scene.api.object(&scene.path("services")).is_none());
}
