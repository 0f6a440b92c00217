//! The place that builds share for what they depend on, and how it is kept within a bound.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use super::piece::piece_of;
use crate::digest::Sha256;

/// Where things are while they are removed: what is half removed must not be found by its name.
const LEAVING: &str = "leaving";

/// The place.
#[derive(Clone, Debug)]
pub struct Dependencies {
    root: PathBuf,
    toolchain: String,
}

/// How much there is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// What was removed.
    pub freed: u64,
    /// What is left.
    pub left: u64,
}

/// What of it is used, and removed, as one.
#[derive(Debug)]
struct Piece {
    /// Directories first: they must not be there without what vouches for them.
    paths: Vec<PathBuf>,
    bytes: u64,
    used: SystemTime,
}

impl Dependencies {
    /// The place at `root`, as builds with this toolchain see it. What a toolchain has made is for
    /// that toolchain alone: two of one version need not make the same.
    pub fn at(root: &Path, toolchain: &str) -> Self {
        let toolchain = Sha256::of(toolchain.as_bytes()).hex()[..32].to_owned();
        Self { root: root.to_owned(), toolchain }
    }

    /// A directory for what is the same for all.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A directory for what this toolchain makes.
    pub(crate) fn directory_of_toolchain(&self, name: &str) -> PathBuf {
        self.root.join(name).join(&self.toolchain)
    }

    /// Marks something as used now. What cannot be marked is there all the same, if it is, and goes
    /// the sooner.
    pub fn mark(path: &Path) {
        let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Removes what was not used for longest until the rest has no more than `limit` bytes. What was
    /// used after `since` stays: a build may be reading it.
    pub fn bound(&self, limit: u64, since: SystemTime) -> io::Result<Extent> {
        let leaving = self.root.join(LEAVING);
        but_for_what_is_gone(fs::remove_dir_all(&leaving))?;
        let mut pieces = self.pieces();
        pieces.sort_by_key(|piece| piece.used);
        let all: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        let mut left = all;
        for piece in pieces.iter().take_while(|piece| piece.used < since) {
            if left <= limit {
                break;
            }
            for path in &piece.paths {
                fs::create_dir_all(&leaving)?;
                let place = tempfile::tempdir_in(&leaving)?;
                but_for_what_is_gone(fs::rename(path, place.path().join("it")))?;
            }
            left -= piece.bytes;
        }
        but_for_what_is_gone(fs::remove_dir_all(&leaving))?;
        Ok(Extent { freed: all - left, left })
    }

    /// All that is there. What others remove meanwhile is passed over.
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces: HashMap<PathBuf, Piece> = HashMap::new();
        for entry in WalkDir::new(&self.root).into_iter().filter_map(Result::ok) {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                continue;
            }
            let below = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            let (name, path) = piece_of(below);
            let is_directory = path != below;
            let piece = pieces.entry(name).or_insert_with(|| Piece {
                paths: Vec::new(),
                bytes: 0,
                used: SystemTime::UNIX_EPOCH,
            });
            piece.bytes += metadata.len();
            let path = self.root.join(path);
            // What is in a directory has the times that it was packed with, or unpacked at.
            let marked = if is_directory { path.metadata() } else { Ok(metadata) };
            let Ok(used) = marked.and_then(|metadata| metadata.modified()) else { continue };
            piece.used = piece.used.max(used);
            if !is_directory {
                piece.paths.push(path);
            } else if piece.paths.first() != Some(&path) {
                piece.paths.insert(0, path);
            }
        }
        pieces.into_values().collect()
    }
}

/// Somebody else may have removed it.
fn but_for_what_is_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn file(root: &Path, name: &str, bytes: usize, age: u64) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![0; bytes]).unwrap();
        aged(&path, age);
    }

    fn aged(path: &Path, age: u64) {
        let time = SystemTime::now() - Duration::from_mins(age);
        File::open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn what_was_not_used_for_longest_goes_as_a_whole() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let there = |name: &str| root.join(name).exists();
        let [old, new] = ["a@v1.0.0", "b@v1.0.0"].map(|name| format!("go/modules/{name}"));
        for (module, name, age) in [(&old, "a", 90), (&new, "b", 30)] {
            file(root, &format!("{module}/go.mod"), 100, 1);
            aged(&root.join(module), age);
            for kind in ["zip", "ziphash"] {
                file(root, &format!("go/modules/cache/download/{name}/@v/v1.0.0.{kind}"), 100, age);
            }
        }
        file(root, "npm/oldest", 100, 120);
        file(root, "npm/newest", 100, 1);
        let shared = Dependencies::at(root, "go");
        let since = |age| SystemTime::now() - Duration::from_mins(age);

        assert_eq!(shared.bound(800, since(0)).unwrap().freed, 0);
        assert_eq!(shared.bound(700, since(0)).unwrap().freed, 100);
        assert!(!there("npm/oldest") && there(&old));
        assert_eq!(shared.bound(600, since(0)).unwrap().freed, 300);
        assert!(!there(&old) && !there("go/modules/cache/download/a/@v/v1.0.0.zip"));
        assert!(there(&new) && there("go/modules/cache/download/b/@v/v1.0.0.zip"));

        // What a build may be reading stays, however much it is.
        assert_eq!(shared.bound(0, since(60)).unwrap().freed, 0);
        Dependencies::mark(&root.join(&new));
        Dependencies::mark(&root.join("nowhere"));
        assert_eq!(shared.bound(0, since(10)).unwrap().freed, 0);
        aged(&root.join(&new), 30);
        assert_eq!(shared.bound(0, since(10)).unwrap().freed, 300);
        assert!(there("npm/newest") && !there(LEAVING));
    }

    #[test]
    fn what_a_toolchain_made_is_for_it_alone() {
        let of = |toolchain| {
            Dependencies::at(Path::new("/c"), toolchain).directory_of_toolchain("go/builds")
        };
        assert_ne!(of("golang@sha256:1"), of("golang@sha256:2"));
    }
}
