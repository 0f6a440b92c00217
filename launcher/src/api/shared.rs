//! What the calls of the API have in common.

use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;

use crate::backend::Backend;
use crate::data::DataDirectory;
use crate::error_chain::one_line;
use crate::running::Running;
use crate::settings::TimeLimits;

/// The longest reason that is told, in bytes; the peer reads no line over 64 KiB
/// (`core/container/externalbuilder`).
const REASON_LIMIT: usize = 8 << 10;

/// What they all work with.
pub(super) struct Shared {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) running: Running,
    pub(super) data: DataDirectory,
    pub(super) limits: TimeLimits,
}

/// A failure as a status: its message is the line that the builder prints.
pub(super) fn failed(error: &dyn std::error::Error) -> Status {
    let mut reason = one_line(error);
    reason.truncate(reason.floor_char_boundary(REASON_LIMIT));
    Status::failed_precondition(reason)
}

/// A chunk of a source's tar, or what came in its place.
pub(super) fn unexpected(what: &str) -> Status {
    Status::invalid_argument(format!("expected {what}; are builder and launcher of one release?"))
}

pub(super) fn chunk(bytes: Vec<u8>) -> Bytes {
    Bytes::from(bytes)
}
