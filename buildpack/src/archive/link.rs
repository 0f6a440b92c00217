//! Symbolic links that lead to a place in the same tree: those of `node_modules`.

use super::bounds::MAX_PATH_BYTES;
use super::printable::printable;
use super::{EntryFault, EntryPath};

/// Where a link leads: some `..`, and then down.
///
/// A link's directory is a real one, since nothing lies below a link. So each `..` goes up by one,
/// and what follows only goes down, through other links of this kind perhaps: however such links
/// are followed, the way does not lead out of the tree. With a `..` after a name it could, where
/// that is the name of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTarget(String);

impl LinkTarget {
    /// Where the link at `path` leads whose text is `target`.
    pub fn parse(path: &EntryPath, target: &[u8]) -> Result<Self, EntryFault> {
        let leads_out = || EntryFault::LinkOutside(printable(target));
        let text = std::str::from_utf8(target).map_err(|_| EntryFault::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(EntryFault::NotText);
        }
        if text.is_empty() || text.len() > MAX_PATH_BYTES || text.starts_with('/') {
            return Err(leads_out());
        }
        let mut below = path.ancestors().count();
        let mut goes_down = false;
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." if goes_down || below == 0 => return Err(leads_out()),
                ".." => below -= 1,
                _ => goes_down = true,
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text of the link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str, target: &str) -> Result<LinkTarget, EntryFault> {
        LinkTarget::parse(&EntryPath::parse(path.as_bytes()).unwrap(), target.as_bytes())
    }

    #[test]
    fn links_in_the_tree() {
        for (path, target) in [
            ("node_modules/.bin/tsc", "../typescript/bin/tsc"),
            ("node_modules/member", "../packages/member"),
            ("a", "b/c"),
            ("a/b", ".."),
            ("a/b", "./c/"),
        ] {
            assert_eq!(parse(path, target).unwrap().as_str(), target);
        }
    }

    #[test]
    fn links_out_of_it() {
        for (path, target) in [
            ("a", ".."),
            ("a/b", "../.."),
            ("a/b", "/etc/passwd"),
            ("a/b", "c/../../d"),
            ("a/b", ""),
            ("a/b", &"x/".repeat(MAX_PATH_BYTES)),
        ] {
            let fault = parse(path, target).unwrap_err();
            assert!(matches!(fault, EntryFault::LinkOutside(_)), "{target}: {fault}");
        }
        assert_eq!(parse("a/b", "c\nd").unwrap_err(), EntryFault::NotText);
    }
}
