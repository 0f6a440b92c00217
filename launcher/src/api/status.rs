//! `Status`: how the launcher is, and how the chaincode that it has.

use selvedge_proto::launcher::{LauncherStatus, StatusResponse};

use super::shared::Shared;
use crate::caller::Caller;
use crate::configuration::Configuration;
use crate::error_chain::bounded;
use crate::opening::{Entrance, Works};

pub(super) fn status(shared: &Shared, caller: &Caller) -> StatusResponse {
    let mut launcher = launcher_status(&shared.entrance, &shared.configuration);
    if let Caller::Peer(peer) = caller {
        launcher.peer = peer.to_string();
        // What is wrong with it may be what is said of others.
        if !launcher.file_refused.is_empty() {
            "the launcher's log says why".clone_into(&mut launcher.file_refused);
        }
    }
    let mut chaincodes = shared.running.standings();
    chaincodes.retain(|chaincode| caller.sees(&chaincode.peer));
    StatusResponse { launcher: Some(launcher), chaincodes }
}

/// How the launcher is.
pub(crate) fn launcher_status(
    entrance: &Entrance,
    configuration: &Configuration,
) -> LauncherStatus {
    let (peer, unconfined, closed) = match entrance.now() {
        Ok(works) => {
            let Works { backend, .. } = &*works;
            (backend.peer().to_owned(), backend.unconfined().to_vec(), String::new())
        }
        Err(reason) => (String::new(), Vec::new(), reason.to_string()),
    };
    LauncherStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: configuration.now().backend().to_string(),
        peer,
        closed,
        file_refused: bounded(&configuration.refusal().unwrap_or_default()).to_owned(),
        unconfined,
    }
}
