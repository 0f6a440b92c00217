//! Two peers of one name in two namespaces, whose chaincode is in a third: each is itself there, and
//! what one left that is gone does not stay.

use cluster::{Cluster, Namespace, until};
use fabric_on_kubernetes::PeerPod;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::controllers::{await_absence, launcher_alone};
use crate::shared::{LIMIT, MSP_ID, on_fabric, one};
use fabric_on_kubernetes::processes::launcher_of;

/// Where the chaincode of both is to be.
const THERE: &str = "twins-chaincode";

/// Where the other peer is.
const OTHER: &str = "twins-other";

/// The same object without what the API server made of it.
fn copied(peer: &PeerPod, kind: &str, name: &str) -> Value {
    let object = peer.namespace().kubectl(&["get", kind, name, "-o", "json"]).unwrap();
    let mut object: Value = serde_json::from_str(&object).unwrap();
    object["metadata"] = json!({ "name": name });
    object
}

/// Grants the launchers of the namespaces what the manifests grant where chaincode runs.
pub(crate) fn grant(peer: &PeerPod, there: &Namespace, to: &[&str]) {
    bind(peer, there, "selvedge-chaincode-org1", to);
}

fn bind(peer: &PeerPod, there: &Namespace, role: &str, to: &[&str]) {
    let subjects: Vec<Value> = to
        .iter()
        .map(|namespace| {
            json!({
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Group",
                "name": format!("system:serviceaccounts:{namespace}"),
            })
        })
        .collect();
    there.apply(&copied(peer, "role", role)).unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": role },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role },
        "subjects": subjects,
    });
    there.apply(&binding).unwrap();
}

/// A launcher in the other namespace, in a pod of the same name as the peer's.
fn start_other(peer: &PeerPod, other: &Namespace) {
    other.apply(&copied(peer, "configmap", "selvedge-config-org1")).unwrap();
    bind(peer, other, "selvedge-launcher-org1", &[OTHER]);
    grant(peer, other, &[OTHER]);
    let mut pod = launcher_alone(peer)["spec"]["template"].take();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(peer.pod());
    pod["spec"]["serviceAccountName"] = json!("default");
    other.apply(&pod).unwrap();
}

/// The leases of the two, each once the right launcher holds it.
async fn leases(peer: &PeerPod, there: &Namespace) -> [String; 2] {
    let mut names = [peer.namespace().name(), OTHER].map(ToOwned::to_owned);
    for namespace in &mut names {
        let (label, holder) =
            (format!("{namespace}.{}", peer.pod()), format!("{namespace}/{}/", peer.pod()));
        let selector = ListParams::default().labels(&format!("selvedge.dev/peer={label}"));
        *namespace = until(&format!("the lease of {label}"), LIMIT, async || {
            let found = there.api::<Lease>().list(&selector).await;
            let found = found.map_err(|error| error.to_string())?.items;
            let [lease] = &found[..] else { return Err(format!("{} leases", found.len())) };
            let spec = lease.spec.clone().unwrap_or_default();
            let held = spec.holder_identity.is_some_and(|by| by.starts_with(&holder));
            if held { Ok(lease.metadata.name.clone().unwrap()) } else { Err(format!("{lease:?}")) }
        })
        .await
        .unwrap();
    }
    names
}

#[test]
fn peers_of_one_name_are_two_and_what_one_left_that_is_gone_is_deleted() {
    let spec = one("twins")
        .say("chaincode.namespace", json!(THERE))
        .say("chaincode.timeouts.adopt", json!("1s"));
    on_fabric(&spec, async |cluster: &Cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let there = cluster.namespace(THERE).await.unwrap();
        grant(peer, &there, &["twins", OTHER]);
        let other = cluster.namespace(OTHER).await.unwrap();
        start_other(peer, &other);
        let [own, others] = leases(peer, &there).await;
        assert_ne!(own, others);

        // The other has been gone for years, and left something.
        let label = format!("{OTHER}.{}", peer.pod());
        let left = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "left",
                "labels": {
                    "app.kubernetes.io/managed-by": "selvedge-launcher",
                    "selvedge.dev/peer": label,
                },
            },
            "spec": { "ports": [{ "port": 7052 }] },
        });
        there.apply(&left).unwrap();
        other.kubectl(&["delete", "pod", peer.pod()]).unwrap();
        let long_ago = json!({ "spec": { "renewTime": "2020-01-01T00:00:00.000000Z" } });
        let patch = ["patch", "lease", &others, "--type=merge", "-p", &long_ago.to_string()];
        there.kubectl(&patch).unwrap();
        // A launcher looks for such when it starts.
        kill_process(launcher_of(peer), Signal::KILL).unwrap();
        for (kind, name) in [("lease", &*others), ("service", "left")] {
            await_absence(&there, kind, name).await;
        }
        assert_eq!(there.kubectl(&["get", "leases", "-o", "name"]).unwrap().lines().count(), 1);
    });
}
