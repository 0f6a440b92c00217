//! `Status`: how the launcher is, and how the chaincode that it has.

use selvedge_proto::launcher::{LauncherStatus, StatusResponse};

use super::shared::Shared;
use crate::error_chain::bounded;

pub(super) fn status(shared: &Shared) -> StatusResponse {
    let (peer, closed) = match shared.entrance.now() {
        Ok(works) => (works.backend.peer().to_owned(), String::new()),
        Err(reason) => (String::new(), reason.to_string()),
    };
    let launcher = LauncherStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: shared.configuration.now().backend().to_string(),
        peer,
        closed,
        file_refused: bounded(&shared.configuration.refusal().unwrap_or_default()).to_owned(),
    };
    StatusResponse { launcher: Some(launcher), chaincodes: shared.running.standings() }
}
