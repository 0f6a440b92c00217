//! A peer and its launcher in a pod of a cluster.

use std::path::Path;

use anyhow::{Context, Result};
use e2e::{Gateway, package};
use fabric_on_kubernetes::processes::chaincodes_of;
use fabric_on_kubernetes::{Fabric, FabricSpec, PeerPod};
use testbed::Definition;

use super::place::Place;
use super::way::{IN_CLUSTER, overrides};
use crate::ground::Ground;

const MSP_ID: &str = "Org1MSP";

/// The network, in a cluster of its own.
pub(super) struct InCluster {
    // Dropped in this order.
    fabric: Fabric,
    ground: Ground,
}

impl InCluster {
    pub(super) fn raise() -> Result<Self> {
        let ground = Ground::raise()?;
        let spec = FabricSpec::new("function", &[MSP_ID]).say("overrides", overrides(&IN_CLUSTER));
        Ok(Self { fabric: ground.network(&spec)?, ground })
    }

    fn peer(&self) -> &PeerPod {
        self.fabric.peer(MSP_ID)
    }
}

impl Place for InCluster {
    fn deploy(&self, source: &Path, name: &str) -> Result<String> {
        let file = self.fabric.network().dir().join(format!("{name}.tar.gz"));
        package(source, &format!("{name}_1.0"), &file);
        let deployed = self.fabric.network().deploy(&file, &Definition::new(name));
        deployed.with_context(|| self.fabric.namespace().report())
    }

    fn gateway(&self, name: &str) -> Gateway {
        let channel = self.fabric.network().channel();
        Gateway::connect(&self.peer().gateway_access(), channel, name)
    }

    fn processes(&self, package_id: &str) -> Result<Vec<i32>> {
        let processes = chaincodes_of(package_id).into_iter();
        Ok(processes.map(|process| process.as_raw_nonzero().get()).collect())
    }

    fn status(&self) -> Result<String> {
        Ok(self.peer().exec("launcher", &["selvedge", "status", "--json"])?)
    }

    fn is_settled(&self, package_id: &str, is_podless: bool) -> Result<bool> {
        let chaincode = self.ground.runtime.block_on(self.peer().chaincode(package_id))?;
        let pods = self.ground.runtime.block_on(chaincode.pods())?;
        let runs = pods.iter().all(|pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running")
        });
        Ok(runs && pods.is_empty() == is_podless)
    }
}
