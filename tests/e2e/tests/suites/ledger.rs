//! The stage that suites share which need no more than a peer with the ledger contract.

use std::path::Path;

use e2e::{Op, SharedStage, Stage, StageSpec, chaincode_dir};
use testbed::{Definition, NetworkSpec, Release};

/// The chaincode that [`STAGE`] runs.
pub(crate) const NAME: &str = "ledger";

/// Where programs of the stage's machine may lie that packages name.
pub(crate) const PROGRAMS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/programs");

/// v3.1.1, everything at its defaults but for [`PROGRAMS`], the ledger contract as `ledger`.
pub(crate) static STAGE: SharedStage = SharedStage::new(|| {
    let network = |network: &mut NetworkSpec| {
        let peer = &mut network.peers[0];
        peer.environment.insert("SELVEDGE_PROGRAMS".into(), PROGRAMS.into());
        peer.builders[0].propagate_environment.push("SELVEDGE_PROGRAMS".into());
    };
    let stage = Stage::raise(&StageSpec { network, ..StageSpec::new(Release::V3_1_1) });
    deploy(&stage, NAME);
    // The peer starts what was committed in its own time.
    stage.gateway(NAME).call(Op::Evaluate, &["Pid"]).unwrap();
    stage
});

/// Deploys the contract under a name; the package ID.
pub(crate) fn deploy(stage: &Stage, name: &str) -> String {
    stage.deploy(&chaincode_dir("ledger"), &definition(name))
}

/// The contract's first definition, with its collections.
pub(crate) fn definition(name: &str) -> Definition {
    let collections = chaincode_dir("ledger").join("collections.json");
    Definition { collections_config: Some(collections), ..Definition::new(name) }
}

/// The whole content of a file.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
