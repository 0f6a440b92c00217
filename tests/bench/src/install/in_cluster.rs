//! A peer and its launcher in a pod of a cluster, whose builds are Jobs.

use std::path::Path;

use anyhow::Result;
use fabric_on_kubernetes::{BuildCache, Fabric, FabricSpec};

use super::round::Installs;
use crate::ground::Ground;

const MSP_ID: &str = "Org1MSP";

/// A network whose builds have an empty volume; it ends when dropped.
pub(super) struct InCluster(Fabric);

impl InCluster {
    /// The network of a round, of which the registry has no image of an earlier one's chaincode.
    pub(super) fn of_round(ground: &Ground, round: u32) -> Result<Self> {
        let namespace = format!("bench-{round}");
        let repository = format!("{}/{namespace}", ground.cluster.registry());
        let spec =
            FabricSpec::new(&namespace, &[MSP_ID]).say("registry.address", repository.into());
        let spec = BuildCache::at(&ground.cluster, &namespace).of(spec)?;
        ground.network(&spec).map(Self)
    }
}

impl Installs for InCluster {
    fn install(&self, package: &Path) -> Result<()> {
        self.0.peer(MSP_ID).install(package)?;
        Ok(())
    }
}
