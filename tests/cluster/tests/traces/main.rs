//! What is left of a cluster that is gone, however it went: nothing.

mod found;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use cluster::{Cluster, ClusterSpec, Tools};
use found::Found;
use serde_json::json;
use testbed::process::wait_until;

/// The limit of an end that nobody waits for.
const LIMIT: Duration = Duration::from_secs(40);

/// A cluster in which a pod has started.
async fn start() -> Cluster {
    let tools = Tools::obtain(&mut |line| eprintln!("{line}")).unwrap_or_else(|e| panic!("{e}"));
    let cluster = Cluster::start(&tools, ClusterSpec::default())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "here" },
        "spec": { "containers": [{
            "name": "main",
            "image": cluster.image("busybox"),
            "args": ["-c", "exec sleep infinity"],
        }]},
    });
    // Not in a namespace that is deleted first: the pod is to be there until the end.
    cluster.kubectl().apply("default", &pod).unwrap();
    let wait = ["wait", "--for=condition=Ready", "--timeout=60s", "pod/here"];
    cluster.kubectl().run(&wait).unwrap();
    cluster
}

/// All that a running cluster has on the host, so that its absence later says something.
fn assert_complete(found: &Found) {
    assert!(found.directory);
    assert_eq!(found.links.len(), 1, "{found}");
    assert_eq!(found.rules.len(), 4, "{found}");
    assert!(found.cgroups.len() > 10, "{found}");
    // Servers, shims and containers, in the namespaces of three machines and three pods.
    assert!(found.processes.len() > 20, "{found}");
    assert!(found.networks.len() >= 5, "{found}");
}

#[tokio::test]
async fn two_at_once_live_side_by_side_and_leave_nothing() {
    let mounts = found::mounts();
    let (one, other) = tokio::join!(start(), start());
    let (one_dir, other_dir) = (one.dir().to_owned(), other.dir().to_owned());
    assert_ne!(one.registry(), other.registry());
    let before = Found::of(&one_dir);
    assert_complete(&before);
    assert_complete(&Found::of(&other_dir));

    drop(one);
    let left = before.still_there();
    assert!(left.is_nothing(), "{left}");

    // The other one did not notice.
    let pods = other.kubectl().run(&["get", "pods", "--no-headers"]).unwrap();
    assert!(pods.contains("1/1"), "{pods}");
    let said = other.kubectl().run(&["exec", "here", "--", "echo", "still here"]).unwrap();
    assert_eq!(said, "still here\n");
    let before = Found::of(&other_dir);
    drop(other);
    let left = before.still_there();
    assert!(left.is_nothing(), "{left}");
    assert_eq!(found::mounts(), mounts);
}

/// Not a test of its own: the harness that the next tests kill. Waits to be killed.
#[tokio::test]
async fn victim() {
    if let Ok(file) = env::var("CLUSTER_VICTIM") {
        let cluster = start().await;
        fs::write(file, cluster.dir().to_string_lossy().as_bytes()).unwrap();
        thread::park();
    }
}

#[test]
fn a_plain_user_is_told_that_a_cluster_needs_root() {
    // Where everybody may read it.
    let scratch = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir();
    let scratch = scratch.unwrap();
    let harness = scratch.path().join("harness");
    // By another process: while this one has a program open to write it, a test beside it that
    // forks would keep it from being run (ETXTBSY).
    let copied = Command::new("cp").arg(env::current_exe().unwrap()).arg(&harness).status();
    assert!(copied.unwrap().success());
    let said = Command::new("setpriv")
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        .arg(harness)
        .args(["--exact", "victim"])
        .env("CLUSTER_VICTIM", scratch.path().join("dir"))
        .current_dir("/")
        .output()
        .unwrap();
    assert!(!said.status.success());
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.contains("a cluster needs root"), "{said}");
    assert!(said.contains("sudo"), "{said}");
}

/// Starts a cluster in another process, and kills that. The cluster's directory is returned.
fn kill_a_harness(after: impl FnOnce(&Path)) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("dir");
    let mut harness = Command::new(env::current_exe().unwrap())
        .args(["--exact", "victim"])
        .env("CLUSTER_VICTIM", &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let written = || fs::read_to_string(&file).is_ok_and(|dir| !dir.is_empty());
    assert!(wait_until(Duration::from_mins(15), written));
    let dir = PathBuf::from(fs::read_to_string(&file).unwrap());
    after(&dir);
    harness.kill().unwrap();
    harness.wait().unwrap();
}

#[test]
fn nothing_outlives_a_harness_that_is_killed() {
    let mut before = None;
    kill_a_harness(|dir| before = Some(Found::of(dir)));
    let before = before.unwrap();
    assert_complete(&before);
    let gone = wait_until(LIMIT, || before.still_there().is_nothing());
    assert!(gone, "{}", before.still_there());
}

#[tokio::test]
async fn what_a_crash_left_is_swept_by_the_next_cluster() {
    let mut before = None;
    kill_a_harness(|dir| {
        let found = Found::of(dir);
        // As when the machine loses its power: nobody who would clean up is left.
        found.kill_supervisors(dir, &["janitor.sh", "supervise.sh", "ground.sh"]);
        before = Some(found);
    });
    let before = before.unwrap();
    assert_complete(&before);
    let left = before.still_there();
    assert!(left.directory && !left.rules.is_empty() && !left.cgroups.is_empty(), "{left}");

    drop(start().await);
    let left = before.still_there();
    assert!(left.is_nothing(), "{left}");
}

#[tokio::test]
async fn a_kept_cluster_is_ended_even_if_nobody_is_there_to_do_it_in_order() {
    let cluster = start().await;
    let dir = cluster.dir().to_owned();
    cluster.keep().unwrap();
    let before = Found::of(&dir);
    assert_complete(&before);
    let kept = cluster::running().unwrap().into_iter().find(|kept| kept.dir() == dir).unwrap();
    before.kill_supervisors(&dir, &["janitor.sh"]);
    kept.end().unwrap();
    let left = before.still_there();
    assert!(left.is_nothing(), "{left}");
    assert!(cluster::running().unwrap().iter().all(|other| other.dir() != dir));
}
