//! What a command came to.

/// What a command came to, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done = 0,
    Refused = 1,
    /// What a shell reports for a program that Ctrl-C ended.
    Interrupted = 130,
}
