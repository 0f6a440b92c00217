//! A peer and its launcher in a pod of a cluster, whose builds are Jobs.

use std::path::Path;

use anyhow::Result;
use cluster::{Cluster, ClusterSpec, Tools};
use fabric_on_kubernetes::{BuildCache, Fabric, FabricSpec, Images};
use testbed::{Binaries, Release, dist_dir};
use tokio::runtime::Runtime;

use super::round::Installs;

const MSP_ID: &str = "Org1MSP";

/// A cluster, for all rounds. It ends when dropped.
pub(super) struct Ground {
    cluster: Cluster,
    images: Images,
    binaries: Binaries,
    // Its tasks are what the cluster's client works by: it goes last.
    runtime: Runtime,
}

/// A network in it whose builds have an empty volume; it ends when dropped.
pub(super) struct InCluster(Fabric);

impl Ground {
    pub(super) fn raise() -> Result<Self> {
        let mut progress = |line: &str| eprintln!("{line}");
        let tools = Tools::obtain(&mut progress)?;
        let binaries = Binaries::obtain(Release::V3_1_1, &mut progress)?;
        let runtime = Runtime::new()?;
        let cluster = runtime.block_on(Cluster::start(&tools, ClusterSpec::default()))?;
        let images = Images::make(&cluster, &binaries, &dist_dir())?;
        Ok(Self { cluster, images, binaries, runtime })
    }

    /// The network of a round, of which the registry has no image of an earlier one's chaincode.
    pub(super) fn network(&self, round: u32) -> Result<InCluster> {
        let Self { cluster, images, binaries, runtime } = self;
        let namespace = format!("bench-{round}");
        let repository = format!("{}/{namespace}", cluster.registry());
        let spec =
            FabricSpec::new(&namespace, &[MSP_ID]).say("registry.address", repository.into());
        let spec = BuildCache::at(cluster, &namespace).of(spec)?;
        Ok(InCluster(runtime.block_on(Fabric::raise(cluster, images, binaries, &spec))?))
    }
}

impl Installs for InCluster {
    fn install(&self, package: &Path) -> Result<()> {
        self.0.peer(MSP_ID).install(package)?;
        Ok(())
    }
}
