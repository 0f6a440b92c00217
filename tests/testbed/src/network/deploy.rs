//! What is done on all peers of a network.

use std::path::Path;
use std::thread;

use crate::chaincode::Definition;
use crate::cli::CliError;
use crate::client::PeerClient;

/// Installs on all peers, approves for all organisations, and commits.
pub(super) fn deploy(
    peers: &[&PeerClient],
    package: &Path,
    definition: &Definition,
) -> Result<String, CliError> {
    let package_ids = on_each(peers, |peer| {
        let package_id = peer.install(package)?;
        let is_first = |other: &&&PeerClient| other.msp_id() == peer.msp_id();
        // An organisation approves once.
        if peers.iter().find(is_first).is_some_and(|first| first.name() == peer.name()) {
            peer.approve(&package_id, definition)?;
        }
        Ok(package_id)
    })?;
    peers[0].commit(definition)?;
    // The ID is a hash of the package's bytes: the same on every peer.
    Ok(package_ids[0].clone())
}

/// Does it on all peers at once.
pub(super) fn on_each<T: Send>(
    peers: &[&PeerClient],
    act: impl Fn(&PeerClient) -> Result<T, CliError> + Sync,
) -> Result<Vec<T>, CliError> {
    thread::scope(|scope| {
        let act = &act;
        let acts: Vec<_> = peers.iter().map(|&peer| scope.spawn(move || act(peer))).collect();
        acts.into_iter().map(joined).collect()
    })
}

/// A thread's result; its panic goes on here.
pub(super) fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
