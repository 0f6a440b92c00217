//! What runs a peer gives it its name, and takes its chaincode along when it goes.

use cluster::{Namespace, until};
use fabric_on_kubernetes::{Fabric, PeerPod};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::shared::{LIMIT, MSP_ID, deploy_ledger, on_fabric, one};

/// The Deployment of the second launcher.
const OTHER: &str = "other-peer";

/// Waits until there is no such object.
pub(crate) async fn await_absence(namespace: &Namespace, kind: &str, name: &str) {
    let get = ["get", kind, name, "--ignore-not-found", "-o", "name"];
    until(&format!("the end of the {kind} {name}"), LIMIT, async || {
        let found = namespace.kubectl(&get).map_err(|error| error.to_string())?;
        if found.is_empty() { Ok(()) } else { Err(found) }
    })
    .await
    .unwrap();
}

/// A Deployment with the launcher of the peer's own pod, and no peer in it.
pub(crate) fn launcher_alone(peer: &PeerPod) -> Value {
    let stateful_set = peer.pod().trim_end_matches("-0");
    let found = ["get", "statefulset", stateful_set, "-o", "json"];
    let found = peer.namespace().kubectl(&found).unwrap();
    let mut pod: Value = serde_json::from_str::<Value>(&found).unwrap()["spec"]["template"].take();
    let containers = pod["spec"]["initContainers"].as_array_mut().unwrap();
    let place = containers.iter().position(|container| container["name"] == "launcher");
    let mut launcher = containers.remove(place.unwrap());
    launcher.as_object_mut().unwrap().remove("restartPolicy");
    let mounts: Vec<Value> =
        launcher["volumeMounts"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
    let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
    volumes.retain(|volume| mounts.contains(&volume["name"]));
    pod["spec"]["containers"] = json!([launcher]);
    pod["spec"].as_object_mut().unwrap().remove("initContainers");
    pod["metadata"] = json!({ "labels": { "app": OTHER } });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": OTHER },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": OTHER } },
            "strategy": { "type": "Recreate" },
            "template": pod,
        },
    })
}

/// The lease of a peer, once it has another holder than before.
async fn await_lease(fabric: &Fabric, peer: &str, before: Option<&str>) -> (String, String) {
    let api = fabric.namespace().api::<Lease>();
    let selector = format!("selvedge.dev/peer={}.{peer}", fabric.namespace().name());
    until(&format!("the lease of {peer}"), LIMIT, async || {
        let found = api.list(&ListParams::default().labels(&selector)).await;
        let found = found.map_err(|error| error.to_string())?.items;
        let [lease] = &found[..] else { return Err(format!("{} leases", found.len())) };
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
        let holder = holder.filter(|holder| Some(&**holder) != before).ok_or("nobody holds it")?;
        Ok((lease.metadata.name.clone().unwrap(), holder))
    })
    .await
    .unwrap()
}

#[test]
fn a_launcher_that_a_deployment_runs_keeps_its_name_and_goes_with_it() {
    on_fabric(&one("by-deployment"), async |_, fabric| {
        let namespace = fabric.namespace();
        namespace.apply(&launcher_alone(fabric.peer(MSP_ID))).unwrap();
        let (lease, first) = await_lease(fabric, OTHER, None).await;
        namespace.kubectl(&["rollout", "restart", "deployment", OTHER]).unwrap();
        let (again, second) = await_lease(fabric, OTHER, Some(&first)).await;
        assert_eq!(lease, again);
        assert_ne!(first, second);

        namespace.kubectl(&["delete", "deployment", OTHER]).unwrap();
        await_absence(namespace, "lease", &lease).await;
    });
}

#[test]
fn a_peer_that_is_removed_leaves_nothing_of_its_chaincode() {
    on_fabric(&one("removed"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        chaincode.await_running().await.unwrap();
        let stateful_set = peer.pod().trim_end_matches("-0");
        fabric.namespace().kubectl(&["delete", "statefulset", stateful_set]).unwrap();
        for kind in ["service", "deployment", "secret", "networkpolicy", "endpointslice"] {
            await_absence(fabric.namespace(), kind, chaincode.name()).await;
        }
    });
}
