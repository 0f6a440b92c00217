//! How replicas break the protocol, in the words that everybody is told.

use crate::frame::FrameError;

/// How much of a text that a replica made up is repeated to others, in characters.
const EXCERPT: usize = 100;

/// How a replica broke the protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Violation {
    #[error("it did not register: {0}")]
    Unregistered(String),
    #[error("its first message was not REGISTER")]
    NotRegistering,
    #[error("it registered as {claimed:?}, its certificate is for {expected:?}")]
    Impostor { claimed: String, expected: String },
    #[error("it sent a message of type {0}, which a chaincode must not send")]
    IllegalType(String),
    #[error("it sent a message for transaction {0:?}, which it was not given")]
    ForeignTransaction(String),
    #[error("{0}")]
    Garbled(String),
    #[error("it does not read what is sent to it")]
    NotReading,
    #[error("it is one replica too many, the limit is {0}")]
    TooMany(usize),
    #[error("it sent a message that cannot be decoded")]
    Malformed(#[from] FrameError),
}

/// The beginning of what a replica wrote. It goes to the peer once per transaction
/// in flight, and the peer ends the stream on a message over its limit.
pub(crate) fn excerpt(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(EXCERPT) {
        text.truncate(end);
        text.push('…');
    }
    text
}
