//! Messages that wait, counted and weighed.

use std::collections::VecDeque;

use crate::frame::Frame;

/// From how many messages on a backlog is long.
const MESSAGES: usize = 1024;

/// From how many bytes on.
const BYTES: usize = 1 << 20;

/// A queue of messages that says when it is long; what to do then is up to its owner.
#[derive(Default)]
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

    pub(crate) fn is_long(&self) -> bool {
        self.frames.len() >= MESSAGES || self.bytes >= BYTES
    }
}
