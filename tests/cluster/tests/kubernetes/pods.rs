//! Logs, commands, images and builds: what happens inside a pod.

use std::fs;
use std::process::Command;
use std::time::Duration;

use cluster::{Cluster, until};
use serde_json::json;

use crate::objects::{pod, waiting};
use crate::shared::on_cluster;

const LIMIT: Duration = Duration::from_mins(3);

#[test]
fn logs_and_exec_work_on_both_nodes() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("logs").await.unwrap();
        for node in ["node-1", "node-2"] {
            let script = format!("echo I am on {node}; exec sleep infinity");
            namespace.apply(&pod(cluster, node, node, &script)).unwrap();
            namespace.await_ready(node).await.unwrap();
            let log = namespace.kubectl(&["logs", node]).unwrap();
            assert_eq!(log, format!("I am on {node}\n"));
            assert_eq!(namespace.exec(node, &["hostname"]).unwrap(), format!("{node}\n"));
            let error = namespace.exec(node, &["sh", "-c", "echo no >&2; exit 7"]).unwrap_err();
            assert!(error.to_string().contains("exit code 7"), "{error}");
        }
        // What a test that fails shows.
        let report = namespace.report();
        for part in ["-- pods of logs:", "I am on node-1", "I am on node-2", "Started container"] {
            assert!(report.contains(part), "{part} is not in:\n{report}");
        }
    });
}

/// Pushes busybox with one more file as `name`, and returns the reference by digest.
fn push_own(cluster: &Cluster, name: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("message"), "made just now\n").unwrap();
    let layer = dir.path().join("layer.tar");
    let tar = Command::new("tar")
        .arg("-C")
        .arg(dir.path())
        .arg("-cf")
        .arg(&layer)
        .arg("message")
        .status();
    assert!(tar.unwrap().success());
    let push = Command::new(cluster.tools().program("crane"))
        .args(["append", "--insecure", "-b", &cluster.image("busybox")])
        .args(["-t", &format!("{}/{name}:1", cluster.registry()), "-f"])
        .arg(&layer)
        .output()
        .unwrap();
    assert!(push.status.success(), "{}", String::from_utf8_lossy(&push.stderr));
    String::from_utf8(push.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_image_that_was_pushed_is_pulled() {
    on_cluster(async |cluster| {
        let image = push_own(cluster, "some/own");
        assert!(image.contains("@sha256:"), "{image}");
        let namespace = cluster.namespace("registry").await.unwrap();
        for node in ["node-1", "node-2"] {
            let mut pod = waiting(cluster, node, node);
            pod["spec"]["containers"][0]["image"] = json!(image);
            namespace.apply(&pod).unwrap();
            namespace.await_ready(node).await.unwrap();
            assert_eq!(namespace.exec(node, &["cat", "/message"]).unwrap(), "made just now\n");
        }
    });
}

#[test]
fn a_build_in_a_pod_downloads_what_it_depends_on() {
    const SCRIPT: &str =
        "export HOME=/tmp && go mod download golang.org/x/sync@v0.8.0 && echo downloaded";
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("build").await.unwrap();
        let mut pod = pod(cluster, "build", "node-2", SCRIPT);
        pod["spec"]["restartPolicy"] = json!("Never");
        pod["spec"]["securityContext"] = json!({
            "runAsNonRoot": true,
            "runAsUser": 1000,
            "seccompProfile": { "type": "RuntimeDefault" },
        });
        let container = &mut pod["spec"]["containers"][0];
        container["image"] = json!(cluster.image("toolchain"));
        container["securityContext"] =
            json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
        namespace.apply(&pod).unwrap();
        until("the download", LIMIT, async || {
            let log = namespace.kubectl(&["logs", "build"]).map_err(|error| error.to_string())?;
            if log.ends_with("downloaded\n") { Ok(()) } else { Err(log) }
        })
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", namespace.report()));
    });
}
