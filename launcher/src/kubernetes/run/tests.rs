//! A run from its start to its end, beside other hands and an API that fails.

use selvedge_manifest::{Identity, STOPPED_AT, Slot};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::super::lease::Lease;
use super::super::replicas::ClusterReplicas;
use super::super::scene::{POD, Scene, put_pod, until};
use super::*;
use crate::backend::Replicas;

const MOMENT: Duration = Duration::from_secs(10);

/// The lines that a run has told so far.
async fn lines(run: &mut ClusterReplicas) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(Some(event)) = timeout(Duration::from_millis(1), run.next_event()).await {
        if let ReplicaEvent::Line(line) | ReplicaEvent::Wrote { line, .. } = event {
            lines.push(line);
        }
    }
    lines
}

async fn applied(scene: &Scene) -> ClusterReplicas {
    let run = scene.run().await;
    until("the Deployment", || scene.deployment().is_some()).await;
    sleep(MOMENT).await;
    run
}

/// Has the cluster say something new of the Deployment, as its controller does.
fn report(scene: &Scene, generation: u32) {
    edit(scene, |deployment| deployment["status"] = json!({"observedGeneration": generation}));
}

fn edit(scene: &Scene, change: impl FnOnce(&mut Value)) {
    let mut deployment = scene.deployment().unwrap();
    change(&mut deployment);
    let version: u64 = deployment["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    deployment["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    scene.api.put(&scene.path("deployments"), deployment);
}

#[tokio::test(start_paused = true)]
async fn behind_a_mutating_webhook_nothing_is_put_right_and_nothing_said() {
    let scene = Scene::new().await;
    scene.api.admit_by(|object| {
        if object["kind"] == "Deployment" {
            let pod = &mut object["spec"]["template"]["spec"];
            pod["containers"][0]["image"] = json!("mirror/chaincode");
            let containers = pod["containers"].as_array_mut().unwrap();
            if !containers.iter().any(|container| container["name"] == "sidecar") {
                containers.insert(0, json!({"name": "sidecar", "image": "sidecar"}));
            }
        }
    });
    let mut run = applied(&scene).await;
    let writes = scene.writes("deployments");
    for generation in 0..20 {
        report(&scene, generation);
        sleep(MOMENT).await;
    }
    assert_eq!(scene.writes("deployments"), writes);
    assert_eq!(lines(&mut run).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_fight_with_another_hand_is_told_once_and_not_fed() {
    let scene = Scene::new().await;
    let mut run = applied(&scene).await;
    let before = scene.writes("deployments");
    let mut said = Vec::new();
    // Whenever one replica is wanted, another hand wants three: for an hour, if need be each second.
    for _ in 0..3600 {
        if scene.deployment().unwrap()["spec"]["replicas"] == 1 {
            edit(&scene, |deployment| deployment["spec"]["replicas"] = json!(3));
        }
        sleep(Duration::from_secs(1)).await;
        said.extend(lines(&mut run).await);
    }
    let writes = scene.writes("deployments") - before;
    assert!(writes < 25, "{writes} writes");
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[2].contains("again and again"), "{said:?}");

    // Another object's trouble does not wait for that.
    let path = scene.path("services");
    let mut service = scene.api.object(&path).unwrap();
    service["spec"]["ports"][0]["port"] = json!(1);
    service["metadata"]["resourceVersion"] = json!("1000000");
    scene.api.put(&path, service);
    sleep(MOMENT).await;
    assert_eq!(scene.api.object(&path).unwrap()["spec"]["ports"][0]["port"], 7052);
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_lost_its_lease_while_it_could_not_write_does_not_write_later() {
    let scene = Scene::new().await;
    scene.place.observed.ready().await;
    scene.api.cut_off(POD, true);
    let run = scene.run().await;
    sleep(MOMENT * 2).await;
    put_pod(&scene.api, "peer0-b");
    let other = Lease::hold(scene.api.ground("peer0-b"));
    other.gained().await;
    assert!(!scene.place.lease.is_held());

    scene.api.cut_off(POD, false);
    sleep(MOMENT * 6).await;
    assert!(other.is_held() && !scene.place.lease.is_held());
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

/// Whether the set of the identity has its Service, which owns the rest.
fn is_there(scene: &Scene, set: &Identity) -> bool {
    let path = format!("/api/v1/namespaces/chaincode/services/{}", set.name);
    scene.api.object(&path).is_some()
}

#[tokio::test(start_paused = true)]
async fn a_set_that_was_taken_over_from_goes_as_a_whole_once_its_pods_have_ended() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    let (first, second) = (&scene.identity, scene.identity.clone().within(Slot::Second));
    let (from, to) = (applied(&scene).await, scene.set(1).await);
    until("the second set", || is_there(&scene, &second)).await;
    let pod = "/api/v1/namespaces/chaincode/pods/replica";
    let metadata = json!({"name": "replica", "namespace": "chaincode", "labels": first.labels()});
    scene.api.put(pod, json!({"metadata": metadata, "status": {"phase": "Running"}}));
    until("the pod", || !scene.place.observed.pods.state().is_empty()).await;

    Box::new(from).discard().await;
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 0);
    sleep(MOMENT * 6).await;
    assert!(is_there(&scene, first), "a pod lost its policy");
    scene.api.remove(pod);
    until("the end of the first set", || !is_there(&scene, first)).await;
    sleep(MOMENT * 6).await;
    assert!(is_there(&scene, &second));
    drop((to, sweeper));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_in_the_other_slot_goes_when_the_next_one_begins() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    let second = scene.identity.clone().within(Slot::Second);
    let earlier = scene.set(1).await;
    until("the earlier run's set", || is_there(&scene, &second)).await;
    Box::new(earlier).stop().await;
    sleep(MOMENT * 6).await;
    assert!(is_there(&scene, &second));

    let run = applied(&scene).await;
    until("the end of what it left", || !is_there(&scene, &second)).await;
    // What the run's next set takes is not deleted under it.
    let next = scene.set(1).await;
    until("the next set", || is_there(&scene, &second)).await;
    sleep(Duration::from_hours(2)).await;
    assert!(is_there(&scene, &second));
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 1);
    drop((run, next, sweeper));
}

#[tokio::test(start_paused = true)]
async fn a_set_of_which_not_all_came_to_be_goes_too() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    scene.api.refuse("PATCH /apis/apps/v1", 403);
    let run = scene.run().await;
    until("its Service", || is_there(&scene, &scene.identity)).await;
    Box::new(run).discard().await;
    scene.api.refuse_nothing();
    until("its end", || !is_there(&scene, &scene.identity)).await;
    drop(sweeper);
}

/// A pod of a set, of the given number, whose container has run for long; it is seen.
async fn put_old_pod(scene: &Scene, set: &Identity, credentials: &str, generation: u32) {
    let mut metadata = json!({
        "name": "old", "namespace": "chaincode", "uid": "uid-of-old", "labels": set.labels(),
    });
    metadata["annotations"] =
        json!({ CREDENTIALS: credentials, GENERATION: generation.to_string() });
    let state = json!({ "running": { "startedAt": "2026-11-20T00:00:00Z" } });
    let container = json!({
        "name": "chaincode", "image": "a", "imageID": "a", "ready": true, "restartCount": 0,
        "state": state,
    });
    let status = json!({ "phase": "Running", "containerStatuses": [container] });
    let pod = json!({ "metadata": metadata, "status": status });
    scene.place.observed.ready().await;
    scene.api.put("/api/v1/namespaces/chaincode/pods/old", pod);
    until("the pod", || !scene.place.observed.pods.state().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_run_has_left_awaits_the_next_one_which_changes_nothing_of_it() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    Box::new(applied(&scene).await).leave().await;
    sleep(MOMENT).await;
    let before = scene.deployment().unwrap();
    assert_eq!(before["spec"]["replicas"], 1);

    let run = scene.take_up(0).await;
    sleep(Duration::from_hours(2)).await;
    assert_eq!(scene.deployment().unwrap(), before);
    Box::new(run).leave().await;
    // Its settings give it five minutes.
    sleep(Duration::from_mins(4)).await;
    assert_eq!(scene.deployment().unwrap(), before);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 0);
    drop(sweeper);
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_pods_in_whatever_slot_and_of_whatever_number() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    let second = scene.identity.clone().within(Slot::Second);
    let (from, to) = (applied(&scene).await, scene.set(1).await);
    until("the second set", || is_there(&scene, &second)).await;
    // The launcher dies while one takes over from the other.
    Box::new(from).leave().await;
    Box::new(to).leave().await;
    put_old_pod(&scene, &second, "c0ffee1", 7).await;

    let run = scene.take_up(1).await;
    until("the end of what it does not go on with", || !is_there(&scene, &scene.identity)).await;
    let path = format!("/apis/apps/v1/namespaces/chaincode/deployments/{}", second.name);
    let deployment = scene.api.object(&path).unwrap();
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations[GENERATION], "7");
    drop((run, sweeper));
}

#[tokio::test(start_paused = true)]
async fn pods_that_do_not_come_back_are_made_anew_and_that_is_no_failure() {
    let scene = Scene::new().await;
    put_old_pod(&scene, &scene.identity, "c0ffee0", 1).await;
    let mut run = scene.take_up(0).await;
    until("the Deployment", || scene.deployment().is_some()).await;
    run.replace_disconnected(SystemTime::now());
    let number = || {
        let deployment = scene.deployment().unwrap();
        deployment["spec"]["template"]["metadata"]["annotations"][GENERATION].clone()
    };
    until("other pods", || number() == "2").await;
    let told = lines(&mut run).await;
    assert!(told.iter().any(|line| line.contains("are made anew")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_awaits_another_run_ends_with_the_peers_pod() {
    let scene = Scene::new().await;
    Box::new(applied(&scene).await).leave().await;
    scene.place.release().await;
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 1, "its pod stays");

    let scene = Scene::new().await;
    Box::new(applied(&scene).await).leave().await;
    let path = format!("/api/v1/namespaces/org1/pods/{POD}");
    let mut pod = scene.api.object(&path).unwrap();
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-27T00:00:00Z");
    scene.api.put(&path, pod);
    scene.place.release().await;
    assert_eq!(scene.deployment().unwrap()["spec"]["replicas"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_keeps_nothing_has_pods_while_it_is_called_for_and_is_swept_at_rest() {
    let scene = Scene::new().await;
    let sweeper = AbortOnDropHandle::new(tokio::spawn(scene.sweeper().sweep()));
    let run = scene.function().await;
    until("the Deployment", || scene.deployment().is_some()).await;
    let pods = || scene.deployment().unwrap()["spec"]["replicas"].clone();
    assert_eq!(pods(), 0);
    sleep(Duration::from_hours(2)).await;
    for _ in 0..2 {
        run.want(1);
        until("a pod", || pods() == 1).await;
        let services = scene.writes("services");
        run.want(0);
        until("none", || pods() == 0).await;
        assert_eq!(scene.writes("services"), services, "nothing else has changed");
    }
    Box::new(run).leave().await;
    let stopped = || scene.deployment().unwrap()["metadata"]["annotations"][STOPPED_AT].clone();
    assert!(stopped().is_null(), "a run that follows may go on with it");
    until("its end", || !stopped().is_null()).await;
    drop(sweeper);
}
