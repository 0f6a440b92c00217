//! What is started.

use std::ffi::{OsStr, OsString};

/// A program and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is, or its name in `PATH`.
    pub name: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Program {
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        Some(Self { name: arguments.next()?, arguments: arguments.collect() })
    }

    /// The program with its arguments, as it was ordered.
    pub fn words(&self) -> impl Iterator<Item = &OsStr> {
        [&self.name].into_iter().chain(&self.arguments).map(OsString::as_os_str)
    }
}
