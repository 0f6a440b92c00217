//! The path of a file inside an archive or a source tree.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::EntryFault;
use super::bounds::{MAX_PATH_BYTES, MAX_PATH_DEPTH};

/// The longest name of one component, in bytes: `NAME_MAX` of Linux's file systems.
pub(crate) const MAX_NAME_BYTES: usize = 255;

/// A relative path with `/` between its components, none of which is empty, `.` or `..`.
///
/// Printable UTF-8: it is shown on terminals and written to JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EntryPath(String);

impl EntryPath {
    /// Parses the name of a tar entry: `./` in front and `/` behind are dropped.
    pub fn parse(name: &[u8]) -> Result<Self, EntryFault> {
        let name = std::str::from_utf8(name).map_err(|_| EntryFault::NotText)?;
        if name.chars().any(char::is_control) {
            return Err(EntryFault::NotText);
        }
        if name.starts_with('/') {
            return Err(EntryFault::Absolute);
        }
        let components: Vec<&str> =
            name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if components.is_empty() {
            return Err(EntryFault::Empty);
        }
        if components.contains(&"..") {
            return Err(EntryFault::Escapes);
        }
        let long_name = components.iter().any(|part| part.len() > MAX_NAME_BYTES);
        if name.len() > MAX_PATH_BYTES || components.len() > MAX_PATH_DEPTH || long_name {
            return Err(EntryFault::TooLong);
        }
        Ok(Self(components.join("/")))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the entry belongs below `root`.
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    /// The directories above it, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let (parent, _) = rest.rsplit_once('/')?;
            rest = parent;
            Some(parent)
        })
    }

    /// The directory it is in; empty at the top.
    pub fn directory(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

/// Whether a relative path, seen from a directory at this depth of a tree without links, leads out
/// of the tree.
pub(crate) fn leads_out(mut depth: usize, path: &str) -> bool {
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for EntryPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for EntryPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for (name, path) in [
            ("src/go.mod", "src/go.mod"),
            ("./src//./go.mod", "src/go.mod"),
            ("src/", "src"),
            ("..foo/...", "..foo/..."),
        ] {
            assert_eq!(EntryPath::parse(name.as_bytes()).unwrap().as_str(), path);
        }
    }

    #[test]
    fn dangerous_names_are_refused() {
        let long = "a/".repeat(MAX_PATH_DEPTH + 1);
        let wide = "a".repeat(256);
        for (name, fault) in [
            ("", EntryFault::Empty),
            ("./", EntryFault::Empty),
            ("/etc/passwd", EntryFault::Absolute),
            ("src/../../etc", EntryFault::Escapes),
            ("..", EntryFault::Escapes),
            ("src/\u{1b}[2J", EntryFault::NotText),
            ("src/a\nb", EntryFault::NotText),
            (long.as_str(), EntryFault::TooLong),
            (wide.as_str(), EntryFault::TooLong),
        ] {
            assert_eq!(EntryPath::parse(name.as_bytes()).unwrap_err(), fault, "{name:?}");
        }
        assert_eq!(EntryPath::parse(b"src/\xff").unwrap_err(), EntryFault::NotText);
    }

    #[test]
    fn ancestors_go_up() {
        let path = EntryPath::parse(b"a/b/c").unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!((path.directory(), path.name()), ("a/b", "c"));
    }
}
