//! One cluster for all tests of this program. It ends with the program.

use std::sync::LazyLock;

use cluster::{Cluster, ClusterSpec, Tools};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let tools = Tools::obtain(&mut |line| eprintln!("{line}")).unwrap_or_else(|e| panic!("{e}"));
    RUNTIME
        .block_on(Cluster::start(&tools, ClusterSpec::default()))
        .unwrap_or_else(|error| panic!("{error}"))
});

/// Runs a test on the cluster. All on one runtime, as the cluster's client lives on it.
pub(crate) fn on_cluster(test: impl AsyncFnOnce(&Cluster)) {
    let cluster = &*CLUSTER;
    RUNTIME.block_on(test(cluster));
}
