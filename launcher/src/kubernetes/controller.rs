//! What runs the peer's pod: the peer is known by its name, and the peer's chaincode goes with it.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Api, Client};

use super::failure::{ApiFailure, call};

/// The label by which a Deployment tells its replica sets apart; their names end with it
/// (`pkg/controller/deployment/sync.go`, `getNewReplicaSet`).
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The name that stays the same when the pod is replaced: of its Deployment, of its daemon set and
/// the node, and otherwise the pod's own, as a StatefulSet gives it again.
pub(crate) fn lasting_name(pod: &Pod, node: &str) -> String {
    let own = pod.metadata.name.clone().unwrap_or_default();
    let Some(controller) = controller(&pod.metadata) else { return own };
    match controller.kind.as_str() {
        "ReplicaSet" => {
            let labels = pod.metadata.labels.as_ref();
            let hash = labels.and_then(|labels| labels.get(TEMPLATE_HASH));
            let name = hash.and_then(|hash| controller.name.strip_suffix(&format!("-{hash}")));
            name.unwrap_or(&controller.name).to_owned()
        }
        "DaemonSet" => format!("{}.{node}", controller.name),
        _ => own,
    }
}

/// A reference to what runs the pod, by which that owns what is made for the peer; `None` when
/// nothing does. It is asked for each time: one that is made anew under its old name takes over the
/// pod, and what is owned by one that is gone is deleted.
pub(crate) async fn owner(
    client: &Client,
    namespace: &str,
    pod: &str,
) -> Result<Option<OwnerReference>, ApiFailure> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = call("read its own pod", pods.get(pod)).await?;
    let Some(direct) = controller(&pod.metadata) else { return Ok(None) };
    let mut owner = direct.clone();
    if direct.kind == "ReplicaSet" {
        let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
        let act = format!("read the ReplicaSet {} of its own pod", direct.name);
        let set = call(&act, sets.get(&direct.name)).await?;
        // A Deployment deletes ReplicaSets when it makes new ones.
        owner = controller(&set.metadata).unwrap_or(direct).clone();
    }
    Ok(Some(OwnerReference { controller: None, block_owner_deletion: None, ..owner }))
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    let mut owners = metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::mock::Api;
    use super::*;

    fn pod(kind: &str, controller: &str) -> serde_json::Value {
        json!({
            "metadata": {
                "name": "peer-7d9c6b5f4-x2k8p",
                "labels": {"app": "peer", "pod-template-hash": "7d9c6b5f4"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": kind, "name": controller, "uid": "direct",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
        })
    }

    fn name(kind: &str, controller: &str) -> String {
        lasting_name(&serde_json::from_value(pod(kind, controller)).unwrap(), "node-1")
    }

    #[test]
    fn a_peer_is_known_by_what_outlives_its_pod() {
        assert_eq!(name("ReplicaSet", "peer-7d9c6b5f4"), "peer");
        assert_eq!(name("ReplicaSet", "by-hand"), "by-hand");
        assert_eq!(name("StatefulSet", "peer"), "peer-7d9c6b5f4-x2k8p");
        assert_eq!(name("DaemonSet", "peer"), "peer.node-1");
        let bare = serde_json::from_value(json!({"metadata": {"name": "peer"}})).unwrap();
        assert_eq!(lasting_name(&bare, "node-1"), "peer");
    }

    #[tokio::test]
    async fn what_runs_the_pod_owns_what_is_made_for_the_peer() {
        let api = Api::default();
        let client = api.ground("any").client.clone();
        let path = "/api/v1/namespaces/org1/pods/peer";
        api.put(path, pod("StatefulSet", "peer"));
        let found = owner(&client, "org1", "peer").await.unwrap().unwrap();
        assert_eq!((&*found.kind, &*found.uid, found.controller), ("StatefulSet", "direct", None));

        api.put(path, pod("ReplicaSet", "peer-7d9c6b5f4"));
        let set = json!({"metadata": {"ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "peer", "uid": "above",
            "controller": true,
        }]}});
        api.put("/apis/apps/v1/namespaces/org1/replicasets/peer-7d9c6b5f4", set);
        let found = owner(&client, "org1", "peer").await.unwrap().unwrap();
        assert_eq!((&*found.kind, &*found.uid), ("Deployment", "above"));

        api.put(path, json!({"metadata": {"name": "peer"}}));
        assert_eq!(owner(&client, "org1", "peer").await.unwrap(), None);
    }
}
