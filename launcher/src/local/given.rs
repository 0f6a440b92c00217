//! What of this machine a process is given that sees no more of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file or directory of this machine, and where a process finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// Where it is.
    pub(crate) from: PathBuf,
    /// Where the process finds it.
    pub(crate) to: OsString,
    /// Whether the process may write there.
    pub(crate) writable: bool,
}

impl Given {
    /// To be read, where it is.
    pub(crate) fn read_only(path: impl Into<PathBuf>) -> Self {
        let from = path.into();
        Self { to: from.clone().into(), from, writable: false }
    }

    /// To be written, where it is.
    pub(crate) fn writable(path: impl Into<PathBuf>) -> Self {
        Self { writable: true, ..Self::read_only(path) }
    }

    /// Whether a process finds it anyway that has been given another.
    pub(crate) fn is_part_of(&self, other: &Self) -> bool {
        let below = self.place().strip_prefix(other.place());
        !self.writable && below.is_ok_and(|below| self.from == other.from.join(below))
    }

    /// Where the process finds it.
    pub(crate) fn place(&self) -> &Path {
        Path::new(&self.to)
    }
}

/// What is given, as arguments: how many, and of each where it is, where it is found, and how.
pub(super) fn said_given(given: &[Given]) -> Vec<OsString> {
    let number = given.len().to_string().into();
    let each = given.iter().flat_map(|Given { from, to, writable }| {
        [from.into(), to.clone(), if *writable { "rw".into() } else { "ro".into() }]
    });
    [number].into_iter().chain(each).collect()
}

/// The same from arguments.
pub(super) fn read_given(arguments: &mut impl Iterator<Item = OsString>) -> Option<Vec<Given>> {
    let number: usize = arguments.next()?.to_str()?.parse().ok()?;
    let mut given = Vec::new();
    for _ in 0..number {
        let (from, to) = (arguments.next()?.into(), arguments.next()?);
        given.push(Given { from, to, writable: arguments.next()? == "rw" });
    }
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_anyway() {
        let whole = Given { from: "/usr/lib".into(), ..Given::read_only("/lib") };
        let at = |from: &str, to: &str| Given { to: to.into(), ..Given::read_only(from) };
        assert!(at("/usr/lib/x", "/lib/x").is_part_of(&whole) && whole.is_part_of(&whole));
        assert!(!at("/usr/lib/x", "/lib/y").is_part_of(&whole));
        assert!(!at("/usr/lib/x", "/x").is_part_of(&whole));
        assert!(!Given { writable: true, ..at("/usr/lib/x", "/lib/x") }.is_part_of(&whole));
    }
}
