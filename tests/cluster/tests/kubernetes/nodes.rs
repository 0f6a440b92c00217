//! Two nodes, and who runs where.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{Namespace, until};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams};
use serde_json::json;

use crate::objects::deployment;
use crate::shared::on_cluster;

const LIMIT: Duration = Duration::from_mins(1);

/// How many pods of `app` run on each node, once there are `count` that run.
async fn placement(namespace: &Namespace, app: &str, count: usize) -> BTreeMap<String, usize> {
    let pods: Api<Pod> = namespace.api();
    let params = ListParams::default().labels(&format!("app={app}"));
    let what = format!("{count} running pods of {app}");
    let running = until(&what, LIMIT, async || {
        let pods = pods.list(&params).await.map_err(|e| e.to_string())?.items;
        let runs = |pod: &Pod| pod.status.as_ref()?.phase.clone().filter(|p| p == "Running");
        let running: Vec<Pod> = pods.into_iter().filter(|pod| runs(pod).is_some()).collect();
        if running.len() == count { Ok(running) } else { Err(format!("{} run", running.len())) }
    });
    let mut nodes = BTreeMap::new();
    for pod in running.await.unwrap() {
        let node = pod.spec.and_then(|spec| spec.node_name).unwrap();
        *nodes.entry(node).or_default() += 1;
    }
    nodes
}

#[test]
fn both_nodes_are_ready() {
    on_cluster(async |cluster| {
        let nodes: Api<Node> = Api::all(cluster.client());
        let nodes = nodes.list(&ListParams::default()).await.unwrap().items;
        let addresses: Vec<String> = nodes
            .iter()
            .flat_map(|node| node.status.as_ref().unwrap().addresses.as_ref().unwrap())
            .filter(|address| address.type_ == "InternalIP")
            .map(|address| address.address.clone())
            .collect();
        let expected: Vec<String> =
            cluster.nodes().iter().map(|node| node.address().to_string()).collect();
        assert_eq!(addresses, expected);
        let table = cluster.kubectl().run(&["get", "nodes", "--no-headers"]).unwrap();
        assert_eq!(table.matches(" Ready ").count(), 2, "{table}");
    });
}

#[test]
fn four_replicas_spread_over_both_nodes() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("spread").await.unwrap();
        namespace.apply(&deployment(cluster, "spread", 4, &json!({}))).unwrap();
        let nodes = placement(&namespace, "spread", 4).await;
        assert_eq!(nodes.len(), 2, "{nodes:?}");
    });
}

fn bound_to(node: &str) -> serde_json::Value {
    let term = json!({ "matchExpressions": [
        { "key": "kubernetes.io/hostname", "operator": "In", "values": [node] },
    ]});
    json!({ "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [term] },
    }})
}

#[test]
fn required_affinity_is_obeyed() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("affinity").await.unwrap();
        namespace.apply(&deployment(cluster, "bound", 3, &bound_to("node-2"))).unwrap();
        let nodes = placement(&namespace, "bound", 3).await;
        assert_eq!(nodes, [("node-2".to_owned(), 3)].into());
    });
}

#[test]
fn a_node_that_is_not_there_makes_a_pod_unschedulable() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("unschedulable").await.unwrap();
        namespace.apply(&deployment(cluster, "lost", 1, &bound_to("node-3"))).unwrap();
        until("the scheduler's words", LIMIT, async || {
            let report = namespace.report();
            let words = "didn't match Pod's node affinity/selector";
            if report.contains(words) { Ok(()) } else { Err(report) }
        })
        .await
        .unwrap();
    });
}
