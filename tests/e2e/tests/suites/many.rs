//! The stage that suites share which bring chaincodes of their own.

use e2e::{SharedStage, Stage, StageSpec};
use testbed::{NetworkSpec, Release};

/// Where programs of the stage's machine may lie that packages name.
pub(crate) const PROGRAMS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/programs");

/// v3.1.1, everything at its defaults but for [`PROGRAMS`].
pub(crate) static STAGE: SharedStage = SharedStage::new(|| {
    let network = |network: &mut NetworkSpec| {
        let peer = &mut network.peers[0];
        peer.environment.insert("SELVEDGE_PROGRAMS".into(), PROGRAMS.into());
        peer.builders[0].propagate_environment.push("SELVEDGE_PROGRAMS".into());
    };
    Stage::raise(&StageSpec { network, ..StageSpec::new(Release::V3_1_1) })
});
