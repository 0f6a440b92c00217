//! What the calls of the API have in common.

use std::time::Duration;

use bytes::Bytes;
use tonic::Status;

use super::slots::Slots;
use crate::configuration::Configuration;
use crate::error_chain::{bounded, one_line};
use crate::opening::Entrance;
use crate::running::Running;
use crate::seen::Seen;

/// What they all work with.
pub(super) struct Shared {
    pub(super) entrance: Entrance,
    pub(super) running: Running,
    pub(super) configuration: Configuration,
    pub(super) slots: Slots,
    pub(super) seen: Seen,
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
    Status::failed_precondition(bounded(&one_line(error)))
}

/// A chunk of a source's tar, or what came in its place.
pub(super) fn unexpected(what: &str) -> Status {
    Status::invalid_argument(format!("expected {what}; are builder and launcher of one release?"))
}

pub(super) fn chunk(bytes: Vec<u8>) -> Bytes {
    Bytes::from(bytes)
}
