//! Jobs before an API that is a mock: what is made and made again, who lets go of what, and whose
//! Job nobody looks after any more.

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::super::super::mock::Api as Cluster;
use super::super::manifest::tests::{order, reach, settings};
use super::super::{orphans, pulse};
use super::*;

const QUOTA: &str = "Operation cannot be fulfilled on resourcequotas \"small\": the object has been \
                     modified; please apply your changes to the latest version and try again";

/// Longer than a launcher may be silent, and much shorter than a build may take.
const SOON: Duration = Duration::from_mins(2);

/// A cluster with its builds, as a launcher sees it.
struct Scene {
    cluster: Cluster,
    settings: Builds,
    ends: TaskTracker,
}

impl Scene {
    fn new() -> Self {
        Self { cluster: Cluster::default(), settings: settings("  {}\n"), ends: TaskTracker::new() }
    }

    /// Begins the build by the launcher in a pod; nobody began it before.
    async fn begun<'a>(
        &self,
        ground: &'a Ground,
        order: &BuildOrder<'a>,
    ) -> (BuildJobHandle<'a>, Box<Custody>) {
        match begin(ground, order, &self.ends).await.unwrap() {
            Begun::Ours(job, custody) => (job, custody),
            Begun::There(job) => panic!("{} was there", job.name()),
        }
    }

    fn job_path(order: &BuildOrder<'_>) -> String {
        format!("/apis/batch/v1/namespaces/chaincode/jobs/{}", manifest::name(order.key))
    }

    fn job(&self, order: &BuildOrder<'_>) -> Option<Value> {
        self.cluster.object(&Self::job_path(order))
    }

    /// Leaves the Job that a launcher in the pod `peer1-a` made and, killed, did not let run.
    async fn leave_behind(&self) {
        let (ground, order) = (self.cluster.ground("peer1-a"), order(&self.settings));
        let (_, custody) = self.begun(&ground, &order).await;
        // What is killed deletes nothing, and gives no sign any more.
        custody.leave();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_quotas_conflict_kept_from_being_made_is_made_again() {
    let scene = Scene::new();
    let (ground, order) = (scene.cluster.ground("peer0-a"), order(&scene.settings));
    scene.cluster.fail_next(409, QUOTA);
    let (job, custody) = scene.begun(&ground, &order).await;
    for _ in 0..2 {
        scene.cluster.fail_next(409, QUOTA);
    }
    let reach = reach(&scene.settings, &ground.pod.peer.labels, &[]);
    job.release(&order, "http://10.1.2.3:7059/0f1e2d", &reach).await.unwrap();
    custody.leave();
    let requests = scene.cluster.requests();
    let made: Vec<&str> =
        requests.iter().filter_map(|request| request.strip_prefix("POST ")).collect();
    assert_eq!(made.len(), 3, "{made:?}");
    for kind in ["/jobs/", "/secrets/", "/networkpolicies/"] {
        assert!(made.iter().any(|path| path.contains(kind)), "no {kind} in {made:?}");
    }
    assert_eq!(scene.job(&order).unwrap()["spec"]["suspend"], false);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_launcher_is_gone_is_not_waited_for() {
    let scene = Scene::new();
    scene.leave_behind().await;
    let (ground, order) = (scene.cluster.ground("peer0-a"), order(&scene.settings));
    let Begun::There(job) = begin(&ground, &order, &scene.ends).await.unwrap() else {
        panic!("there was no Job");
    };
    let (log, mut lines) = mpsc::channel(64);
    timeout(SOON, Box::pin(job.see_out(&log))).await.expect("an end of the wait").unwrap();
    drop(log);
    assert_eq!(scene.job(&order), None);
    let mut said = Vec::new();
    while let Some(line) = lines.recv().await {
        said.push(line);
    }
    assert!(said[0].starts_with("another peer builds this already"), "{said:?}");
    assert_eq!(said[1], "the launcher of that build is gone: building here");
    scene.begun(&ground, &order).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_launcher_lives_is_waited_for() {
    let scene = Scene::new();
    let (first, second) = (scene.cluster.ground("peer1-a"), scene.cluster.ground("peer0-a"));
    let order = order(&scene.settings);
    let (_, custody) = scene.begun(&first, &order).await;
    let Begun::There(job) = begin(&second, &order, &scene.ends).await.unwrap() else {
        panic!("there was no Job");
    };
    let (log, _lines) = mpsc::channel(64);
    assert!(timeout(SOON, Box::pin(job.see_out(&log))).await.is_err());
    // An API that cannot be asked for a while tells nothing of who lives.
    let Begun::There(job) = begin(&second, &order, &scene.ends).await.unwrap() else {
        panic!("it was deleted");
    };
    let away = tokio::spawn({
        let cluster = scene.cluster.clone();
        async move {
            let until = Instant::now() + pulse::SILENCE * 2;
            while Instant::now() < until {
                cluster.fail_next(503, "away");
                sleep(Duration::from_millis(100)).await;
            }
        }
    });
    assert!(timeout(SOON, Box::pin(job.see_out(&log))).await.is_err());
    away.await.unwrap();
    assert!(scene.job(&order).is_some());
    drop(custody);
}

/// The pod of the order's build, as a watch shows it.
fn pod(order: &BuildOrder<'_>, job: &Value, state: &Value) -> (String, Value) {
    let name = format!("{}-x1y2z", manifest::name(order.key));
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "uid": "pod-uid",
            "ownerReferences": [{
                "apiVersion": "batch/v1", "kind": "Job", "name": manifest::name(order.key),
                "uid": job["metadata"]["uid"],
            }],
        },
        "status": { "containerStatuses": [{
            "name": manifest::COMPILE, "state": state, "image": "golang:1", "imageID": "",
            "ready": false, "restartCount": 0,
        }] },
    });
    (format!("/api/v1/namespaces/chaincode/pods/{name}"), pod)
}

#[tokio::test(start_paused = true)]
async fn a_compile_error_is_told_also_when_the_jobs_failure_is_seen_first() {
    let scene = Scene::new();
    let (ground, order) = (scene.cluster.ground("peer0-a"), order(&scene.settings));
    let (job, custody) = scene.begun(&ground, &order).await;
    let mut object = scene.job(&order).unwrap();
    let (path, running) = pod(&order, &object, &json!({ "running": {} }));
    scene.cluster.put(&format!("{path}/log"), json!("compiling"));
    scene.cluster.put(&path, running);
    let (log, _lines) = mpsc::channel(64);
    let following = Box::pin(job.follow(&log));
    let failing = async {
        let watched = async {
            while !scene.cluster.requests().iter().any(|request| request.ends_with("/log")) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, watched).await.expect("a reader of the log");
        let words = r#"{"compile":["./main.go:3:15: undefined: missing"]}"#;
        let end = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": words } });
        let (path, ended) = pod(&order, &object, &end);
        scene.cluster.put_unseen(&path, ended);
        object["status"]["conditions"] = json!([{
            "type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded",
        }]);
        scene.cluster.put(&Scene::job_path(&order), object.clone());
    };
    let (outcome, ()) = tokio::join!(following, failing);
    let expected = "the chaincode does not compile: ./main.go:3:15: undefined: missing";
    assert_eq!(outcome.unwrap_err().to_string(), expected);
    custody.leave();
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_let_go_is_deleted_before_the_launcher_ends() {
    let scene = Scene::new();
    let (ground, order) = (scene.cluster.ground("peer0-a"), order(&scene.settings));
    let (_, custody) = scene.begun(&ground, &order).await;
    scene.cluster.fail_next(503, "busy");
    drop(custody);
    scene.ends.close();
    scene.ends.wait().await;
    assert_eq!(scene.job(&order), None);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_which_nobody_heard_that_it_was_made_is_deleted() {
    let scene = Scene::new();
    let (ground, order) = (scene.cluster.ground("peer0-a"), order(&scene.settings));
    {
        let mut beginning = std::pin::pin!(begin(&ground, &order, &scene.ends));
        // The request is on its way when the build is given up.
        let pending = std::future::poll_fn(|context| {
            std::task::Poll::Ready(beginning.as_mut().poll(context).is_pending())
        });
        assert!(pending.await);
    }
    scene.ends.close();
    scene.ends.wait().await;
    assert!(scene.cluster.requests().iter().any(|request| request.starts_with("POST ")));
    assert_eq!(scene.job(&order), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_launcher_left_behind_is_swept_and_what_one_looks_after_is_not() {
    let scene = Scene::new();
    scene.leave_behind().await;
    let (ground, order) = (scene.cluster.ground("peer0-a"), order(&scene.settings));
    assert!(timeout(SOON, orphans::sweep(ground.clone())).await.is_err());
    assert_eq!(scene.job(&order), None);
    let (_, custody) = scene.begun(&ground, &order).await;
    assert!(timeout(SOON, orphans::sweep(ground.clone())).await.is_err());
    assert!(scene.job(&order).is_some());
    drop(custody);
}
