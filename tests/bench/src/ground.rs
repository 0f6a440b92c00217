//! A cluster to measure in.

use anyhow::Result;
use cluster::{Cluster, ClusterSpec, Tools};
use fabric_on_kubernetes::{Fabric, FabricSpec, Images};
use testbed::{Binaries, Release, dist_dir};
use tokio::runtime::Runtime;

/// A cluster, with the images that a network in it is made of. It ends when dropped.
pub(crate) struct Ground {
    pub(crate) cluster: Cluster,
    images: Images,
    binaries: Binaries,
    // Its tasks are what the cluster's client works by: it goes last.
    pub(crate) runtime: Runtime,
}

impl Ground {
    /// Raises it.
    pub(crate) fn raise() -> Result<Self> {
        let mut progress = |line: &str| eprintln!("{line}");
        let tools = Tools::obtain(&mut progress)?;
        let binaries = Binaries::obtain(Release::V3_1_1, &mut progress)?;
        let runtime = Runtime::new()?;
        let cluster = runtime.block_on(Cluster::start(&tools, ClusterSpec::default()))?;
        let images = Images::make(&cluster, &binaries, &dist_dir())?;
        Ok(Self { cluster, images, binaries, runtime })
    }

    /// A network in it.
    pub(crate) fn network(&self, spec: &FabricSpec) -> Result<Fabric> {
        let Self { cluster, images, binaries, runtime } = self;
        Ok(runtime.block_on(Fabric::raise(cluster, images, binaries, spec))?)
    }
}
