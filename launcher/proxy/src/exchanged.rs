//! What a transaction has asked its peer, and the answer.

use crate::batch;
use crate::digest::Digest;
use crate::frame::Frame;

/// A request and its answer.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Exchanged {
    pub(crate) request: Request,
    pub(crate) answer: Frame,
}

/// A request, as far as it takes to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// All of it.
    Whole(Digest),
    /// The writes of a batch, whose order and division mean nothing.
    Batch(Vec<Digest>),
}

impl Request {
    pub(crate) fn of(frame: &Frame) -> Self {
        batch::records(frame).map_or_else(
            || Self::Whole(Digest::of(frame.bytes())),
            |records| Self::Batch(records.iter().map(batch::Record::digest).collect()),
        )
    }

    /// What it weighs, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let digests = match self {
            Self::Whole(_) => 1,
            Self::Batch(writes) => writes.len(),
        };
        digests * size_of::<Digest>()
    }
}
