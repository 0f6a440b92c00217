//! Messages that wait, counted and weighed.

use std::collections::VecDeque;

use crate::frame::Frame;

/// A queue of messages that knows its length and weight; what is too much is up to its owner.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Backlog {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Backlog {
    pub(crate) fn push_back(&mut self, frame: Frame) {
        self.bytes += frame.bytes().len();
        self.frames.push_back(frame);
    }

    pub(crate) fn pop_front(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.bytes().len();
        Some(frame)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Their length together.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
