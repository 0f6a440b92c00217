//! What users of Fabric met and reported in public: for each kind the verdict that is right,
//! from whoever gives one before a peer does, and from the peer itself.

mod environment;
mod golang;
mod gopath;
mod images;
mod metadata;
mod names;
mod size;
mod workshop;
mod zones;

use std::path::Path;

use e2e::{SharedStage, Stage, StageSpec, Turn};
use testbed::Release;

use crate::link::SOON;

/// Chaincode comes and goes here, which other suites do not want to see.
pub(crate) static STAGE: SharedStage =
    SharedStage::new(|| Stage::raise(&StageSpec { page: true, ..StageSpec::new(Release::V3_1_1) }));

/// The peer takes the package, and Selvedge builds it; the package ID.
fn installs(turn: &Turn<'_>, package: &Path) -> String {
    turn.peer().install(package).unwrap_or_else(|error| panic!("{}: {error}", package.display()))
}

/// The peer itself refuses the package, in these words.
fn the_peer_refuses(turn: &Turn<'_>, package: &Path, words: &str) {
    let error = turn.peer().install(package).unwrap_err();
    assert!(error.stderr().contains(words), "{}: {error}", package.display());
    assert!(!error.stderr().contains("external builder"), "{}: {error}", package.display());
}

/// Selvedge's build refuses the package; the peer's log has all parts of the reason in one line.
fn the_build_refuses(turn: &Turn<'_>, package: &Path, reason: &[&str]) {
    let error = turn.peer().install(package).unwrap_err();
    let told = "external builder 'selvedge' failed: exit status 1";
    assert!(error.stderr().contains(told), "{}: {error}", package.display());
    let has_reason = |line: &str| reason.iter().all(|part| line.contains(part));
    turn.peer().log().wait_for(turn.peer_mark, &reason.join("…"), SOON, has_reason).unwrap();
}
