//! Replicas that hang in pods of a cluster of a few lines, whose keepers listen at addresses of this
//! machine.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU8, Ordering};

use selvedge_keeper::line::{KILL, RUNS};
use selvedge_manifest::{CREDENTIALS, GENERATION, KEEPER_PORT};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::backend::Replicas;
use crate::kubernetes::replicas::ClusterReplicas;
use crate::kubernetes::scene::{Scene, until};

use super::*;

/// For what happens by itself.
const SOON: Duration = Duration::from_secs(30);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("no {what}"))
}

/// A pod that the launcher sees, with its keeper at an address that no other test has.
struct Kept {
    address: IpAddr,
    listener: TcpListener,
}

impl Kept {
    async fn new(scene: &Scene) -> Self {
        Self::with(scene, |_| ()).await
    }

    /// With something else of the pod than usual.
    async fn with(scene: &Scene, change: impl FnOnce(&mut Value)) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 97, number));
        let listener = TcpListener::bind((address, KEEPER_PORT)).await.unwrap();
        let (name, uid) = (format!("pod-{number}"), format!("uid-of-{number}"));
        let state = json!({ "running": { "startedAt": "2020-01-01T00:00:00Z" } });
        let mut pod = json!({
            "metadata": {
                "name": name, "namespace": "chaincode", "uid": uid,
                "labels": scene.identity.labels(),
                "annotations": { CREDENTIALS: "c0ffee0", GENERATION: "1" },
            },
            "spec": { "containers": [{
                "name": "chaincode", "command": ["/selvedge/keeper", "keep", "--orders=9998", "--"],
            }] },
            "status": {
                "phase": "Running",
                "podIP": address,
                "containerStatuses": [{
                    "name": "chaincode", "image": "a", "imageID": "a", "ready": true,
                    "restartCount": 0, "state": state,
                }],
            },
        });
        change(&mut pod);
        scene.place.observed.ready().await;
        let pods = &scene.place.observed.pods;
        let before = pods.state().len();
        scene.api.put(&format!("/api/v1/namespaces/chaincode/pods/{name}"), pod);
        until("the pod", || pods.state().len() > before).await;
        Self { address, listener }
    }

    /// Where its replica comes from.
    fn place(&self) -> ReplicaPlace {
        ReplicaPlace { address: Some(SocketAddr::new(self.address, 40123)), seat: None }
    }

    /// Takes the launcher's call, and says this.
    async fn says(&self, word: &str) -> BufReader<TcpStream> {
        let (mut stream, _) = soon("call", self.listener.accept()).await.unwrap();
        stream.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        BufReader::new(stream)
    }

    /// Takes the order to kill what has run for at least so long, and says what has come of it.
    async fn is_ordered_to_kill(&self, ran: Duration, answer: &str) {
        let mut line = self.says(RUNS).await;
        let mut order = String::new();
        soon("order", line.read_line(&mut order)).await.unwrap();
        let told = order.trim_end().strip_prefix(KILL).and_then(|time| time.parse().ok());
        let told = Duration::from_millis(told.unwrap_or_else(|| panic!("no order: {order}")));
        assert!(ran <= told && told < ran + SOON, "{told:?}");
        line.get_mut().write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    }
}

/// What is told of the replicas next, but for their lines.
async fn told(run: &mut ClusterReplicas) -> String {
    let event = async {
        loop {
            match run.next_event().await.unwrap() {
                ReplicaEvent::Wrote { .. } | ReplicaEvent::Line(_) | ReplicaEvent::Delayed(_) => {}
                event => return format!("{event:?}"),
            }
        }
    };
    soon("event", event).await
}

#[tokio::test]
async fn of_two_replicas_the_one_that_hangs_is_killed_by_its_keeper() {
    let scene = Scene::new().await;
    let run = scene.run().await;
    let (one, other) = (Kept::new(&scene).await, Kept::new(&scene).await);
    for kept in [&one, &other] {
        run.met(kept.place(), Meeting::Joined);
        assert!(run.replaces_one(kept.place()));
    }
    run.met(one.place(), Meeting::Hung);
    one.is_ordered_to_kill(Duration::ZERO, "ended 137").await;

    // What comes in its place, and hangs in turn, is another one.
    run.met(one.place(), Meeting::Joined);
    run.met(one.place(), Meeting::Hung);
    one.is_ordered_to_kill(Duration::ZERO, "ended 137").await;
    // The words are heard one after the other: by now the other's keeper would have been called.
    let call = timeout(Duration::from_millis(1), other.listener.accept()).await;
    assert!(call.is_err(), "the other one's keeper was called");
}

#[tokio::test]
async fn one_that_has_lost_its_stream_and_does_not_end_is_killed_and_one_that_is_back_is_not() {
    let scene = Scene::new().await;
    let run = scene.run().await;
    let (one, other) = (Kept::new(&scene).await, Kept::new(&scene).await);
    for kept in [&other, &one] {
        run.met(kept.place(), Meeting::Joined);
        run.met(kept.place(), Meeting::Lost);
    }
    run.met(other.place(), Meeting::Joined);
    one.is_ordered_to_kill(Duration::from_secs(5), "ended 137").await;
    let call = timeout(Duration::from_millis(1), other.listener.accept()).await;
    assert!(call.is_err(), "the other one's keeper was called");
}

#[tokio::test]
async fn that_one_cannot_be_replaced_alone_is_told_and_why() {
    let scene = Scene::new().await;
    let mut run = scene.run().await;
    let kept = Kept::new(&scene).await;
    let mut hangs = async |answers: Option<&str>| {
        run.met(kept.place(), Meeting::Joined);
        run.met(kept.place(), Meeting::Hung);
        if let Some(answer) = answers {
            // What it says it says at once, and hears of no order.
            drop(kept.says(answer).await);
        }
        told(&mut run).await
    };
    for nonsense in ["GET / HTTP/1.1", "runs for ever and ever", RUNS] {
        let reason = hangs(Some(nonsense)).await;
        assert!(reason.starts_with("Unreplaced(\"its pod's keeper "), "{reason}");
    }
    // One that hangs itself: the kernel takes its calls.
    let reason = hangs(None).await;
    assert!(reason.contains("did not kill it within 3 s"), "{reason}");
}

#[tokio::test]
async fn who_is_in_no_pod_that_takes_orders_is_not_known() {
    let scene = Scene::new().await;
    let run = scene.run().await;
    let pods = [
        Kept::with(&scene, |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-27T00:00:00Z");
        })
        .await,
        Kept::with(&scene, |pod| pod["metadata"]["annotations"][CREDENTIALS] = json!("other"))
            .await,
        Kept::with(&scene, |pod| pod["spec"]["containers"][0]["command"] = Value::Null).await,
        Kept::with(&scene, |pod| pod["spec"]["hostNetwork"] = json!(true)).await,
        Kept::with(&scene, |pod| pod["status"]["containerStatuses"][0]["state"] = json!({})).await,
    ];
    for (number, kept) in pods.iter().enumerate() {
        assert!(!run.replaces_one(kept.place()), "{number}");
    }
    // Two that share an address cannot be told from one another.
    let one = Kept::new(&scene).await;
    assert!(run.replaces_one(one.place()));
    let _same = Kept::with(&scene, |pod| pod["status"]["podIP"] = json!(one.address)).await;
    assert!(!run.replaces_one(one.place()));
    assert!(!run.replaces_one(ReplicaPlace::default()));
}

/// Which of the run's pods are wanted.
fn generation(scene: &Scene) -> Value {
    let deployment = scene.deployment().unwrap();
    deployment["spec"]["template"]["metadata"]["annotations"][GENERATION].clone()
}

#[tokio::test]
async fn where_none_is_connected_each_is_killed_and_pods_are_made_anew_if_that_does_not_help() {
    let scene = Scene::new().await;
    let mut run = scene.run().await;
    until("the Deployment", || scene.deployment().is_some()).await;
    let pods = [Kept::new(&scene).await, Kept::new(&scene).await];
    for kept in &pods {
        run.met(kept.place(), Meeting::Joined);
    }
    let ran = Duration::from_hours(1);
    run.replace_disconnected(SystemTime::now() - ran);
    let [one, other] = &pods;
    // Both are called at once, and have the same time.
    tokio::join!(one.is_ordered_to_kill(ran, "ended 137"), other.is_ordered_to_kill(ran, RUNS));
    // None has come back since.
    run.replace_disconnected(SystemTime::now());
    until("other pods", || generation(&scene) == "2").await;
    let told = told(&mut run).await;
    assert!(told.starts_with("Exited"), "{told}");
}

#[tokio::test]
async fn where_a_keeper_does_not_answer_pods_are_made_anew() {
    let scene = Scene::new().await;
    let run = scene.run().await;
    until("the Deployment", || scene.deployment().is_some()).await;
    let kept = Kept::new(&scene).await;
    run.met(kept.place(), Meeting::Joined);
    run.replace_disconnected(SystemTime::now());
    drop(kept.says("nonsense").await);
    until("other pods", || generation(&scene) == "2").await;
}
