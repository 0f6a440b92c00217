//! What is told of the lines that a chaincode wrote before it ended.

use std::collections::VecDeque;

/// How many lines are told.
pub(crate) const LAST_LINES: usize = 10;

/// How Go's account of a crash begins, and the exit status that goes with it
/// (`runtime/panic.go`). It is longer than [`LAST_LINES`], and its beginning tells most.
const CRASH: [&str; 2] = ["panic: ", "fatal error: "];
const CRASHED: i32 = 2;

/// The last lines of a process, and the first ones of its crash.
#[derive(Debug, Default)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
    /// From the last line on that began the account of a crash; empty without one.
    crash: Vec<String>,
}

impl LastLines {
    /// Takes a line into account.
    pub(crate) fn remember(&mut self, line: &str) {
        if CRASH.iter().any(|beginning| line.starts_with(beginning)) {
            self.crash = vec![line.into()];
        } else if !self.crash.is_empty() && self.crash.len() < LAST_LINES {
            self.crash.push(line.into());
        }
        if self.lines.len() == LAST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.into());
    }

    /// What tells most of an end with the exit status; oldest first.
    pub(crate) fn of_end(self, code: Option<i32>) -> Vec<String> {
        if code == Some(CRASHED) && !self.crash.is_empty() { self.crash } else { self.lines.into() }
    }
}
