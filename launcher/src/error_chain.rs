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
