//! What the calls of the API have in common.

use bytes::Bytes;
use tonic::Status;

use super::slots::Slots;
use crate::error_chain::one_line;
use crate::opening::Entrance;
use crate::running::Running;
use crate::settings::TimeLimits;

/// The longest reason that is told, in bytes; the peer reads no line over 64 KiB
/// (`core/container/externalbuilder`).
const REASON_LIMIT: usize = 8 << 10;

/// What they all work with.
pub(super) struct Shared {
    pub(super) entrance: Entrance,
    pub(super) running: Running,
    pub(super) limits: TimeLimits,
    pub(super) slots: Slots,
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
