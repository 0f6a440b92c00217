//! What a launcher answers to who asks how it is.

use selvedge_client::{Address, LauncherError};
use selvedge_proto::launcher::{StatusRequest, StatusResponse};

/// Asks it.
pub(super) async fn ask(address: &Address) -> Result<StatusResponse, LauncherError> {
    let mut launcher = address.connect().await?;
    address.answer(launcher.status(StatusRequest {})).await
}
