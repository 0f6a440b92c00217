//! What a keeper tells of its chaincode: one line on standard error for each end, among the lines of
//! the chaincode, whose last ones it follows.
//!
//! Whoever reads the container's log is told, and the launcher follows that log anyway. Chaincode can
//! write such a line as well; it says no more by it than it could do: end.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::str::FromStr;
use std::time::Duration;

/// How each of a keeper's lines begins.
pub const PREFIX: &str = "selvedge-keeper: ";

/// What is said of a chaincode that was let go by its proxy, before it ends.
pub const LET_GO: &str = "the chaincode has had its calls, and is to end";

/// What is said of a chaincode that its launcher has killed.
pub const GIVEN_UP: &str = "the chaincode has lost its proxy and does not end, and is killed";

const ENDED: &str = "the chaincode ended: ";
const IN_A_ROW: &str = "; ends in a row: ";
const AGAIN: &str = "; it is started again ";
const IN: &str = "in ";
const MILLISECONDS: &str = " ms";
const ON_DEMAND: &str = "on demand";

const STATUS: &str = "exit status: ";
const SIGNAL: &str = "signal: ";
const OUT_OF_MEMORY: &str = "out of memory";

/// That a chaincode has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How.
    pub end: End,
    /// How often in a row by now, which begins anew with each that has recovered.
    pub row: u32,
    /// After what time it is started again; when it is wanted, without.
    pub delay: Option<Duration>,
}

/// How a chaincode has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// By the kernel, since its container needed more memory than it may have.
    OutOfMemory,
}

impl End {
    /// How a process ended, which was not killed for want of memory.
    pub(crate) fn of(status: ExitStatus) -> Self {
        // One that ended, ended in one way or the other.
        let signal = || Self::Signalled(status.signal().unwrap_or_default());
        status.code().map_or_else(signal, Self::Exited)
    }

    /// The exit status, as a shell has it.
    pub fn code(self) -> i32 {
        const KILLED: i32 = 9;
        match self {
            Self::Exited(code) => code,
            Self::Signalled(signal) => 128 + signal,
            Self::OutOfMemory => 128 + KILLED,
        }
    }
}

/// Writes a line of the keeper's, at once and as a whole.
pub fn say(line: &impl fmt::Display) {
    // Who reads no more is told no more.
    let _ = io::stderr().write_all(format!("{PREFIX}{line}\n").as_bytes());
}

impl Report {
    /// What a line of a container's log tells; none if that is not of a keeper.
    pub fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix(PREFIX)?.strip_prefix(ENDED)?;
        let (end, rest) = rest.split_once(IN_A_ROW)?;
        let (row, rest) = rest.split_once(AGAIN)?;
        let delay = if rest == ON_DEMAND {
            None
        } else {
            let delay = rest.strip_prefix(IN)?.strip_suffix(MILLISECONDS)?;
            Some(Duration::from_millis(delay.parse().ok()?))
        };
        Some(Self { end: end.parse().ok()?, row: row.parse().ok()?, delay })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { end, row, delay } = self;
        write!(out, "{ENDED}{end}{IN_A_ROW}{row}{AGAIN}")?;
        match delay {
            Some(delay) => write!(out, "{IN}{}{MILLISECONDS}", delay.as_millis()),
            None => write!(out, "{ON_DEMAND}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(out, "{STATUS}{code}"),
            Self::Signalled(signal) => write!(out, "{SIGNAL}{signal}"),
            Self::OutOfMemory => write!(out, "{OUT_OF_MEMORY}"),
        }
    }
}

/// These words tell of no end.
#[derive(Debug)]
pub struct NoEnd;

impl FromStr for End {
    type Err = NoEnd;

    fn from_str(text: &str) -> Result<Self, NoEnd> {
        let number = |prefix| text.strip_prefix(prefix)?.parse().ok();
        let exited = || number(STATUS).map(Self::Exited);
        let signalled = || number(SIGNAL).map(Self::Signalled);
        let out_of_memory = || (text == OUT_OF_MEMORY).then_some(Self::OutOfMemory);
        exited().or_else(signalled).or_else(out_of_memory).ok_or(NoEnd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_read() {
        for (end, words) in [
            (End::Exited(3), "exit status: 3"),
            (End::Signalled(9), "signal: 9"),
            (End::OutOfMemory, "out of memory"),
        ] {
            let report = Report { end, row: 2, delay: Some(Duration::from_millis(100)) };
            let line = format!("{PREFIX}{report}");
            let told = format!(
                "selvedge-keeper: the chaincode ended: {words}; ends in a row: 2; it is started \
                 again in 100 ms"
            );
            assert_eq!(line, told);
            assert_eq!(Report::read(&line), Some(report));
            for cut in 0..line.len() {
                assert_eq!(Report::read(&line[..cut]), None, "{cut}");
            }
            let report = Report { end, row: 1, delay: None };
            let line = format!("{PREFIX}{report}");
            assert!(line.ends_with("; it is started again on demand"), "{line}");
            assert_eq!(Report::read(&line), Some(report));
        }
    }

    #[test]
    fn what_else_is_written_is_no_report() {
        for line in [
            "",
            "the chaincode ended: exit status: 3; ends in a row: 2; it is started again in 100 ms",
            "selvedge-keeper: the chaincode ended: well; ends in a row: 2; it is started again in 1 ms",
            "selvedge-keeper: the chaincode ended: exit status: 3; ends in a row: -2; it is started \
             again in 1 ms",
            "selvedge-keeper: the chaincode ended: exit status: 99999999999; ends in a row: 2; it is \
             started again in 1 ms",
        ] {
            assert_eq!(Report::read(line), None, "{line}");
        }
    }
}
