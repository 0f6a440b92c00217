//! What a transaction has asked its peer and was answered, for a second run of it.

use std::collections::VecDeque;

use crate::exchanged::{Exchanged, Request};
use crate::frame::{Frame, Type};
use crate::replay::Replay;

/// What an entry weighs besides its parts, in bytes, about.
const ENTRY: usize = 64;

/// A transaction's way so far: how it began, and each request with its answer, oldest first.
///
/// Of a request only the digest is kept, as it is never said again; an answer as it came.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Journal {
    first: Frame,
    entries: VecDeque<Exchanged>,
    /// The request that the peer has not answered yet.
    open: Option<Request>,
    bytes: usize,
    /// How long a request may be.
    longest: usize,
}

impl Journal {
    /// That of a transaction that begins with the peer's message and makes requests of up to so
    /// many bytes: the digest of a very long one would hold up all other transactions.
    pub(crate) fn new(first: &Frame, longest: usize) -> Self {
        let first = first.apart();
        let bytes = first.bytes().len() + ENTRY;
        Self { first, entries: VecDeque::new(), open: None, bytes, longest }
    }

    /// What it weighs, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A request goes to the peer; whether it could be known again.
    pub(crate) fn ask(&mut self, request: &Frame) -> bool {
        if request.bytes().len() > self.longest {
            return false;
        }
        let request = Request::of(request);
        self.bytes += request.weight();
        self.open = Some(request);
        true
    }

    /// The peer answers it; whether a second run could still be given the same. Of a batch that
    /// failed it cannot: which of its writes were done before, only the peer knows.
    pub(crate) fn answer(&mut self, answer: &Frame) -> bool {
        let Some(request) = self.open.take() else { return true };
        let is_batch = matches!(request, Request::Batch(_));
        self.bytes += answer.bytes().len() + ENTRY;
        self.entries.push_back(Exchanged { request, answer: answer.apart() });
        !is_batch || answer.kind() == Some(Type::Response)
    }

    /// What begins the second run, and what the first one did. Of a request without an answer
    /// nothing is known: no second run begins before the peer has answered.
    pub(crate) fn into_replay(self) -> (Frame, Replay) {
        debug_assert!(self.open.is_none(), "the peer is at a request");
        (self.first, Replay::new(self.entries))
    }
}
