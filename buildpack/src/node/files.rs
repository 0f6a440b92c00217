//! Which files a package has, by their names in the chaincode's directory.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::archive::EntryPath;

/// Where the chaincode lies in a package.
pub(super) const DIRECTORY: &str = "src";

/// A name without `.` and empty parts.
pub(super) fn normal(name: &str) -> String {
    let parts: Vec<&str> =
        name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}

pub(super) fn has(files: &BTreeSet<EntryPath>, name: &str) -> bool {
    files.contains(format!("{DIRECTORY}/{name}").as_str())
}

pub(super) fn has_directory(files: &BTreeSet<EntryPath>, name: &str) -> bool {
    let below = format!("{DIRECTORY}/{name}/");
    let range = (Bound::Included(below.as_str()), Bound::Unbounded);
    let first = files.range::<str, _>(range).next();
    first.is_some_and(|file| file.as_str().starts_with(&below))
}
