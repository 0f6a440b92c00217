//! A volume in which a network's builds keep what they depend on.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use cluster::Cluster;
use serde_json::{Value, json};

use crate::fabric::FabricSpec;

/// What it is called in the network's namespace.
const CLAIM: &str = "dependencies";

/// The user and the group of builds.
const BUILDS: u32 = 65532;

/// How much of it builds may take, and how large it is.
const LIMIT: &str = "1GiB";
const SIZE: &str = "1Gi";

/// A volume that is bound to a directory of this machine, which both nodes see.
#[derive(Clone, Debug)]
pub struct BuildCache {
    directory: PathBuf,
}

impl BuildCache {
    /// The one of a namespace.
    pub fn at(cluster: &Cluster, namespace: &str) -> Self {
        let directory = cluster.dir().join("volumes").join(format!("{namespace}-{CLAIM}"));
        Self { directory }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Gives a file that was put there to those who build.
    pub fn give(&self, file: &Path) -> io::Result<()> {
        chown(file, Some(BUILDS), Some(BUILDS))
    }

    /// The network whose builds have it, empty as it is made now.
    pub fn of(&self, spec: FabricSpec) -> io::Result<FabricSpec> {
        fs::create_dir_all(&self.directory)?;
        // fsGroup leaves a directory of the node's own alone.
        self.give(&self.directory)?;
        let name = format!("{}-{CLAIM}", spec.namespace);
        let claim_ref = json!({ "namespace": spec.namespace, "name": CLAIM });
        let mut spec = spec.say("builds.cache", json!({ "claim": CLAIM, "limit": LIMIT }));
        spec.before.push(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": { "name": name },
            "spec": {
                "capacity": { "storage": SIZE },
                "accessModes": ["ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": claim_ref,
                "hostPath": { "path": self.directory },
            },
        }));
        spec.before.push(claim(&name));
        Ok(spec)
    }
}

fn claim(volume: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": CLAIM },
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": { "requests": { "storage": SIZE } },
            "storageClassName": "",
            "volumeName": volume,
        },
    })
}
