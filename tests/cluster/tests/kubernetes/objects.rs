//! The objects that the tests create.

use cluster::{Cluster, KubectlError, Namespace};
use serde_json::{Value, json};

/// A pod that waits, on `node`, with the label `app` of its own name.
pub(crate) fn waiting(cluster: &Cluster, name: &str, node: &str) -> Value {
    pod(cluster, name, node, "exec sleep infinity")
}

/// A pod that serves `hello from NAME` on port 8080, with the label `app` of its own name.
pub(crate) fn serving(cluster: &Cluster, name: &str, node: &str) -> Value {
    let script = format!(
        "mkdir /tmp/www; echo hello from {name} >/tmp/www/index.html; \
         exec httpd -f -p 8080 -h /tmp/www"
    );
    let mut pod = pod(cluster, name, node, &script);
    pod["spec"]["containers"][0]["readinessProbe"] =
        json!({ "httpGet": { "path": "/", "port": 8080 }, "periodSeconds": 1 });
    pod
}

/// A pod that runs a script of busybox's shell.
pub(crate) fn pod(cluster: &Cluster, name: &str, node: &str, script: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "nodeSelector": { "kubernetes.io/hostname": node },
            "terminationGracePeriodSeconds": 0,
            "containers": [
                { "name": "main", "image": cluster.image("busybox"), "args": ["-c", script] },
            ],
        },
    })
}

/// A Deployment of pods that wait.
pub(crate) fn deployment(cluster: &Cluster, name: &str, replicas: u8, affinity: &Value) -> Value {
    let image = cluster.image("busybox");
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "affinity": affinity,
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        { "name": "main", "image": image, "args": ["-c", "exec sleep infinity"] },
                    ],
                },
            },
        },
    })
}

/// What `page` returns when there was no answer.
pub(crate) const SILENCE: &str = "no answer\n";

/// What the page of `serving` at `host` says, asked from a pod.
pub(crate) fn page(namespace: &Namespace, from: &str, host: &str) -> Result<String, KubectlError> {
    let ask = format!("timeout 2 wget -q -O- http://{host}:8080/ || echo no answer");
    namespace.exec(from, &["sh", "-c", &ask])
}
