//! What is told of the lines that a chaincode wrote before it ended.

use std::collections::VecDeque;

/// How many lines are told.
const LAST_LINES: usize = 10;

/// How Go's account of a crash begins, and the exit status that goes with it
/// (`runtime/panic.go`). It is longer than [`LAST_LINES`], and its first line tells what
/// happened; the stack below it is in the log, with all the other lines.
const CRASH: [&str; 2] = ["panic: ", "fatal error: "];
const CRASHED: i32 = 2;

/// The last lines of a process, and the first one of its crash.
#[derive(Debug, Default)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
    /// The last line that began the account of a crash.
    crash: Option<String>,
}

impl LastLines {
    /// Takes a line into account.
    pub(crate) fn remember(&mut self, line: &str) {
        if CRASH.iter().any(|beginning| line.starts_with(beginning)) {
            self.crash = Some(line.into());
        }
        if self.lines.len() == LAST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.into());
    }

    /// What tells most of an end with the exit status; oldest first.
    pub(crate) fn of_end(self, code: Option<i32>) -> Vec<String> {
        match self.crash {
            Some(crash) if code == Some(CRASHED) => vec![crash],
            _ => self.lines.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str], code: i32) -> Vec<String> {
        let mut last = LastLines::default();
        for line in lines {
            last.remember(line);
        }
        last.of_end(Some(code))
    }

    #[test]
    fn a_crash_is_told_by_its_first_line() {
        let nil = "panic: runtime error: invalid memory address or nil pointer dereference";
        let crash = [
            "ready",
            nil,
            "[signal SIGSEGV: segmentation violation]",
            "",
            "goroutine 1 [running]:",
            "main.main()",
            "\t/src/main.go:7 +0x1d",
        ];
        assert_eq!(told(&crash, 2), [nil]);
        assert_eq!(told(&crash, 1), crash);
        assert_eq!(
            told(&["fatal error: all goroutines are asleep - deadlock!", "", "stack"], 2),
            ["fatal error: all goroutines are asleep - deadlock!"]
        );
        assert_eq!(told(&["usage: chaincode"], 2), ["usage: chaincode"]);
    }
}
