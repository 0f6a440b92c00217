//! Whether a chaincode's link to the peer lived on: what the peer's own log says.

use std::time::Duration;

use e2e::Turn;
use testbed::process::wait_until;
use testbed::{Mark, NetworkSpec};

/// What the peer logs when it has lost a chaincode, on debug
/// (`core/chaincode/handler_registry.go`, `Deregister`).
pub(crate) const LOST: &str = "deregistered handler with key: ";

/// What a client is told of a launch that failed (`core/container/externalbuilder/instance.go`).
pub(crate) const LAUNCH_FAILED: &str = "builder 'selvedge' run failed: exit status 1";

/// How long the peer may take to write what it did.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Has the peer log what it does with chaincode.
pub(crate) fn watched(network: &mut NetworkSpec) {
    network.logging.push_str(":chaincode=debug:chaincode.externalbuilder=info");
}

/// The peer has not lost a chaincode of that name since the turn began.
pub(crate) fn assert_kept(turn: &Turn<'_>, package_id: &str) {
    let lost = format!("{LOST}{package_id}");
    let lines = turn.peer_lines();
    assert!(!lines.contains(&lost), "the peer has lost the chaincode: {lost}");
}

/// Waits until so many slow calls sleep: since `mark`, the peer has answered what each asks for
/// before.
pub(crate) fn await_asleep(turn: &Turn<'_>, mark: Mark, calls: usize) {
    let answered = "_STATE. Sending RESPONSE";
    let asleep = || turn.peer().log().since(mark).matches(answered).count() >= calls;
    assert!(wait_until(SOON, asleep), "{}", turn.peer().log().since(mark));
}
