//! What the calls of the API have in common.

use std::time::Duration;

use bytes::Bytes;
use tonic::Status;

use super::slots::Slots;
use crate::configuration::Configuration;
use crate::error_chain::one_line;
use crate::opening::Entrance;
use crate::running::Running;

/// The longest reason that is told, in bytes; the peer reads no line over 64 KiB
/// (`core/container/externalbuilder`).
const REASON_LIMIT: usize = 8 << 10;

/// What they all work with.
pub(super) struct Shared {
    pub(super) entrance: Entrance,
    pub(super) running: Running,
    pub(super) configuration: Configuration,
    pub(super) slots: Slots,
}

impl Shared {
    /// What a launch may take, as long as no more is known of it.
    pub(super) fn start_limit(&self) -> Duration {
        self.configuration.now().defaults().timeouts.start.duration()
    }

    /// What a build may take.
    pub(super) fn build_limit(&self) -> Duration {
        self.configuration.now().builds().timeout.duration()
    }
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
