//! `NetworkPolicy` objects, by sending packets.

use std::time::Duration;

use cluster::{Namespace, until};
use serde_json::{Value, json};

use crate::objects::{SILENCE, page, serving, waiting};
use crate::shared::on_cluster;

const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `host` says `wanted` to the pod `from`: a policy takes a moment to be enforced.
async fn await_page(namespace: &Namespace, from: &str, host: &str, wanted: &str) {
    let what = format!("{wanted:?} for {from}");
    until(&what, LIMIT, async || match page(namespace, from, host) {
        Ok(page) if page == wanted => Ok(()),
        Ok(page) => Err(page),
        Err(error) => Err(error.to_string()),
    })
    .await
    .unwrap();
}

async fn answers(namespace: &Namespace, from: &str, host: &str) {
    await_page(namespace, from, host, "hello from web\n").await;
}

async fn is_refused(namespace: &Namespace, from: &str, host: &str) {
    await_page(namespace, from, host, SILENCE).await;
}

fn policy(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": name },
        "spec": spec,
    })
}

#[test]
fn what_comes_in_is_denied_and_allowed_by_label() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("ingress").await.unwrap();
        namespace.apply(&serving(cluster, "web", "node-1")).unwrap();
        let clients = [("near", "node-1"), ("far", "node-2")];
        let strangers = [("near-stranger", "node-1"), ("far-stranger", "node-2")];
        for (name, node) in clients.into_iter().chain(strangers) {
            let mut pod = waiting(cluster, name, node);
            pod["metadata"]["labels"]["guest"] = json!(clients.contains(&(name, node)).to_string());
            namespace.apply(&pod).unwrap();
        }
        let all = clients.into_iter().chain(strangers).map(|(name, _)| name);
        for name in all.clone() {
            namespace.await_ready(name).await.unwrap();
        }
        let web = namespace.await_ready("web").await.unwrap();
        let address = web.status.unwrap().pod_ip.unwrap();
        for name in all.clone() {
            answers(&namespace, name, &address).await;
        }

        let deny = json!({ "podSelector": {}, "policyTypes": ["Ingress"] });
        namespace.apply(&policy("deny", &deny)).unwrap();
        for name in all {
            is_refused(&namespace, name, &address).await;
        }

        let allow = json!({
            "podSelector": { "matchLabels": { "app": "web" } },
            "policyTypes": ["Ingress"],
            "ingress": [
                { "from": [{ "podSelector": { "matchLabels": { "guest": "true" } } }] },
            ],
        });
        namespace.apply(&policy("allow", &allow)).unwrap();
        for (name, _) in clients {
            answers(&namespace, name, &address).await;
        }
        for (name, _) in strangers {
            is_refused(&namespace, name, &address).await;
        }
    });
}

#[test]
fn what_goes_out_is_held_to_the_name_server() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("egress").await.unwrap();
        namespace.apply(&serving(cluster, "web", "node-2")).unwrap();
        namespace.apply(&waiting(cluster, "held", "node-1")).unwrap();
        namespace.await_ready("held").await.unwrap();
        let web = namespace.await_ready("web").await.unwrap();
        let address = web.status.unwrap().pod_ip.unwrap();
        answers(&namespace, "held", &address).await;

        let name_server = json!({
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
            "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
        });
        let hold = json!({
            "podSelector": { "matchLabels": { "app": "held" } },
            "policyTypes": ["Egress"],
            "egress": [{ "to": [name_server], "ports": [{ "port": 53, "protocol": "UDP" }] }],
        });
        namespace.apply(&policy("hold", &hold)).unwrap();
        is_refused(&namespace, "held", &address).await;
        let name = "kubernetes.default.svc.cluster.local";
        let found = namespace.exec("held", &["nslookup", "-type=a", name]).unwrap();
        assert!(found.contains("10.96.0.1"), "{found}");
    });
}
