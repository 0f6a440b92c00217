//! What a network has outside its namespace. The namespace owns it: it goes when that goes.

use std::fs;
use std::os::unix::fs::chown;
use std::sync::{Mutex, PoisonError};

use cluster::{Cluster, KubectlError, Namespace};
use serde_json::{Value, json};
use testbed::cache::io_error;
use testbed::dist::workspace_dir;

use crate::fabric_error::FabricError;
use crate::peer::PeerPod;

/// The peer's user and group, by the manifests.
const USER: u32 = 65532;

/// A volume for the peer's ledgers: a directory that both nodes see, so that a peer that moves
/// finds them.
pub(crate) fn volume(cluster: &Cluster, peer: &PeerPod) -> Result<(), FabricError> {
    let namespace = peer.namespace();
    let dir = peer.volume(cluster);
    fs::create_dir_all(&dir).map_err(|e| io_error("create", &dir, e))?;
    // A volume of the node's own is nobody's to give away but root's: fsGroup leaves it alone.
    chown(&dir, Some(USER), Some(USER)).map_err(|e| io_error("give away", &dir, e))?;
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": format!("{}-{}", namespace.name(), peer.pod()),
            "ownerReferences": [owner(namespace)?],
        },
        "spec": {
            "capacity": { "storage": "10Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {
                "namespace": namespace.name(),
                "name": format!("ledger-{}", peer.pod()),
            },
            "hostPath": { "path": dir },
        },
    });
    Ok(cluster.kubectl().apply(namespace.name(), &volume)?)
}

/// What is granted for the launchers of all namespaces is applied by one network after the other: of
/// two that find it missing one would find it there when it makes it.
static FOR_ALL: Mutex<()> = Mutex::new(());

/// What the cluster's administrator grants to the launchers of a namespace.
pub(crate) fn grant(cluster: &Cluster, namespace: &Namespace) -> Result<(), FabricError> {
    let file = workspace_dir().join("images/kubernetes/api-server-address.yaml");
    {
        let _alone = FOR_ALL.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.kubectl().run(&["apply", "-f", &file.to_string_lossy()])?;
    }
    let name = namespace.name();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": format!("selvedge-api-server-address-{name}"),
            "namespace": "default",
            "ownerReferences": [owner(namespace)?],
        },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "selvedge-api-server-address",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": format!("system:serviceaccounts:{name}"),
        }],
    });
    Ok(cluster.kubectl().apply("default", &binding)?)
}

fn owner(namespace: &Namespace) -> Result<Value, KubectlError> {
    let name = namespace.name();
    let uid = namespace.kubectl(&["get", "namespace", name, "-o", "jsonpath={.metadata.uid}"])?;
    Ok(json!({ "apiVersion": "v1", "kind": "Namespace", "name": name, "uid": uid }))
}
