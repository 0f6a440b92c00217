//! How replicas break the protocol, in the words that everybody is told.

use crate::excerpt::excerpt;
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
    #[error("it sent a message of type {0}, which this peer did not offer to take")]
    NotOffered(String),
    #[error("{0}")]
    Garbled(String),
    #[error("it does not read what is sent to it")]
    NotReading,
    #[error("it sent a part of a message and then nothing more")]
    NotWriting,
    #[error("it is one replica too many, the limit is {0}")]
    TooMany(usize),
    #[error("it sent a message that cannot be decoded")]
    Malformed(#[from] FrameError),
}

/// The beginning of what a replica wrote. It goes to the peer once per transaction in flight.
pub(crate) fn quote(text: String) -> String {
    excerpt(text, EXCERPT)
}
