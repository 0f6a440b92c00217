//! The stage that suites share which need no more than a peer with the ledger contract.

use std::path::Path;

use e2e::{Op, SharedStage, Stage, StageSpec, chaincode_dir};
use testbed::{Definition, Release};

/// The chaincode that [`STAGE`] runs.
pub(crate) const NAME: &str = "ledger";

/// v3.1.1, everything at its defaults, the ledger contract as `ledger`, and no other chaincode that
/// runs: some suites count what is there.
pub(crate) static STAGE: SharedStage = SharedStage::new(|| {
    let stage = Stage::raise(&StageSpec::new(Release::V3_1_1));
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
