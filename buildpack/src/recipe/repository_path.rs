//! The path of a file in a repository, as somebody who is not trusted asks for it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// The longest path, and the longest name in it, in bytes: a file system takes 255 of a name, to
/// which something may be added.
const LONGEST: usize = 1000;
const LONGEST_NAME: usize = 200;

/// What names may have in them besides letters and digits, so that every file system and every server
/// takes them for what they are.
const PLAIN: &[u8] = b"-._+~";

/// A path that leads down: names, none of them empty, none that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryPath(Vec<String>);

impl RepositoryPath {
    /// Reads the path of a request, such as `/org/example/a/1.0/a-1.0.jar`; none for what is no file's.
    pub fn parse(text: &str) -> Option<Self> {
        let names = text.strip_prefix('/').filter(|names| names.len() <= LONGEST)?.split('/');
        names.map(name).collect::<Option<_>>().map(Self)
    }

    /// Its names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The same, below a directory of a disk.
    pub fn on_disk(&self) -> PathBuf {
        self.0.iter().collect()
    }

    /// The path without this at its end.
    pub(crate) fn without(&self, end: &str) -> Option<Self> {
        let (last, before) = self.0.split_last()?;
        let last = last.strip_suffix(end).filter(|last| !last.is_empty())?;
        Some(Self(before.iter().cloned().chain([last.to_owned()]).collect()))
    }
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

fn name(encoded: &str) -> Option<String> {
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte));
    let leads_down = !name.is_empty() && name != "." && name != "..";
    (is_plain && leads_down && name.len() <= LONGEST_NAME).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_files() {
        for (text, path) in [
            ("/org/example/a/1.0/a-1.0.jar", "org/example/a/1.0/a-1.0.jar"),
            ("/a/1.0%2Bb/a-1.0+b.jar", "a/1.0+b/a-1.0+b.jar"),
            ("/a~b_c/...", "a~b_c/..."),
        ] {
            let parsed = RepositoryPath::parse(text).unwrap();
            assert_eq!(parsed.to_string(), path);
            assert_eq!(parsed.on_disk(), PathBuf::from(path));
        }
    }

    #[test]
    fn what_leads_elsewhere() {
        let long = format!("/{}", "a".repeat(201));
        let deep = "/a".repeat(501);
        for text in [
            "",
            "/",
            "a",
            "//a",
            "/a/",
            "/a//b",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/a",
            "/a%2F..%2Fb",
            "/a%5c..",
            "/a\\b",
            "/a b",
            "/a%00",
            "/a%0d%0a",
            "/a%",
            "/a?b",
            "/a#b",
            "/a:b",
            "/a*",
            "/%ff",
            "/ä",
            &long,
            &deep,
        ] {
            assert_eq!(RepositoryPath::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_end_that_is_taken_off() {
        let path = RepositoryPath::parse("/a/b.jar.sha1").unwrap();
        assert_eq!(path.without(".sha1").unwrap().to_string(), "a/b.jar");
        assert_eq!(path.without(".md5"), None);
        assert_eq!(RepositoryPath::parse("/a/.sha1").unwrap().without(".sha1"), None);
    }
}
