//! What a network has outside its namespace. The namespace owns it: it goes when that goes.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cluster::{Cluster, KubectlError, Namespace};
use serde_json::{Value, json};
use testbed::cache::io_error;
use testbed::dist::workspace_dir;

use crate::fabric_error::FabricError;
use crate::peer::PeerPod;

/// The peer's user and group, by the manifests.
const USER: u32 = 65532;

/// Volumes for the peer's ledgers, and for images if its launcher is their registry: directories that
/// both nodes see, so that a peer that moves finds them.
pub(crate) fn volumes(cluster: &Cluster, peer: &PeerPod) -> Result<(), FabricError> {
    let namespace = peer.namespace();
    let (owner, ledgers) = (owner(namespace)?, peer.volume(cluster));
    let images = ledgers.with_extension("images");
    let volume = |claim: String, dir: &Path| {
        fs::create_dir_all(dir).map_err(|e| io_error("create", dir, e))?;
        // A volume of the node's own is nobody's to give away but root's: fsGroup leaves it alone.
        chown(dir, Some(USER), Some(USER)).map_err(|e| io_error("give away", dir, e))?;
        Ok::<_, FabricError>(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": format!("{}-{claim}", namespace.name()),
                "ownerReferences": [owner],
            },
            "spec": {
                "capacity": { "storage": "20Gi" },
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": { "namespace": namespace.name(), "name": claim },
                "hostPath": { "path": dir },
            },
        }))
    };
    let volumes = [
        volume(format!("ledger-{}", peer.pod()), &ledgers)?,
        volume(format!("selvedge-registry-{}", peer.organisation().name()), &images)?,
    ];
    let all = json!({ "apiVersion": "v1", "kind": "List", "items": volumes });
    Ok(cluster.kubectl().apply(namespace.name(), &all)?)
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
