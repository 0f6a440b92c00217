//! Services and names, asked from pods.

use std::time::Duration;

use cluster::until;
use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use crate::objects::{page, serving, waiting};
use crate::shared::on_cluster;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_service_is_reached_by_address_and_by_name() {
    on_cluster(async |cluster| {
        let namespace = cluster.namespace("services").await.unwrap();
        namespace.apply(&serving(cluster, "web", "node-1")).unwrap();
        namespace.apply(&waiting(cluster, "near", "node-1")).unwrap();
        namespace.apply(&waiting(cluster, "far", "node-2")).unwrap();
        namespace
            .apply(&json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "name": "shop" },
                "spec": { "selector": { "app": "web" }, "ports": [{ "port": 8080 }] },
            }))
            .unwrap();
        for pod in ["web", "near", "far"] {
            namespace.await_ready(pod).await.unwrap();
        }
        let service = namespace.api::<Service>().get("shop").await.unwrap();
        let address = service.spec.unwrap().cluster_ip.unwrap();
        for pod in ["near", "far"] {
            for host in [&address, "shop", "shop.services", "shop.services.svc.cluster.local"] {
                // kube-proxy takes a moment to learn of a Service.
                let what = format!("the page at {host} for {pod}");
                until(&what, LIMIT, async || match page(&namespace, pod, host) {
                    Ok(page) if page == "hello from web\n" => Ok(()),
                    Ok(page) => Err(page),
                    Err(error) => Err(error.to_string()),
                })
                .await
                .unwrap();
            }
        }
    });
}
