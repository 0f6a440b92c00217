//! An error with its causes, in one line: what a peer's log and a status can carry.

use std::error::Error;

/// The error and its causes, separated by colons; a cause that the text before
/// it already has is left out.
pub(crate) fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.replace('\n', " | ")
}

/// The longest reason that is told, in bytes; the peer reads no line over 64 KiB
/// (`core/container/externalbuilder`).
const REASON_LIMIT: usize = 8 << 10;

/// As much of a reason as is told.
pub(crate) fn bounded(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_LIMIT)]
}
