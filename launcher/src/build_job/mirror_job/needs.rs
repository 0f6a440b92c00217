//! What builds of the same needs have asked for, for the next one to have before it asks: to ask for a
//! thousand files takes a JVM some seconds, however near they are.
//!
//! A build can have no more noted than files of the repository that it asked for itself.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::recipe::{Dependencies, RepositoryPath};
use tempfile::NamedTempFile;

/// The most files that are noted for one.
const MOST: usize = 10_000;

/// What is asked for, and where that is noted.
pub(super) struct Needs {
    /// Where the notes are of all needs.
    root: PathBuf,
    of: Mutex<Of>,
}

/// Of one build.
#[derive(Default)]
struct Of {
    /// Its needs, once it has said them.
    note: Option<PathBuf>,
    asked: BTreeSet<RepositoryPath>,
    /// How many of those are in the note.
    noted: usize,
}

impl Needs {
    pub(super) fn noted_in(root: PathBuf) -> Self {
        Self { root, of: Mutex::default() }
    }

    /// Says the build's needs, which it does once; what others of those have asked for.
    pub(super) fn say(&self, needs: Sha256) -> Option<Vec<RepositoryPath>> {
        let mut of = self.lock();
        if of.note.is_some() {
            return None;
        }
        let note = self.root.join(needs.hex());
        let text = fs::read_to_string(&note).unwrap_or_default();
        Dependencies::mark(&note);
        let noted: Vec<_> = text.lines().filter_map(RepositoryPath::parse).take(MOST).collect();
        of.note = Some(note);
        of.noted = noted.len();
        of.asked.extend(noted.iter().cloned());
        Some(noted)
    }

    /// A file that the build has asked for, and that is kept.
    pub(super) fn ask(&self, path: &RepositoryPath) {
        let mut of = self.lock();
        if of.asked.len() < MOST {
            of.asked.insert(path.clone());
        }
    }

    /// Notes what the build has asked for, if it has said its needs.
    pub(super) fn note(&self) -> io::Result<()> {
        let mut of = self.lock();
        let Some(note) = of.note.as_ref().filter(|_| of.asked.len() > of.noted) else {
            return Ok(());
        };
        fs::create_dir_all(&self.root)?;
        let mut file = NamedTempFile::new_in(&self.root)?;
        let mut lines = BufWriter::new(&mut file);
        for path in &of.asked {
            writeln!(lines, "/{path}")?;
        }
        lines.flush()?;
        drop(lines);
        file.persist(note).map_err(|error| error.error)?;
        of.noted = of.asked.len();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Of> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepositoryPath {
        RepositoryPath::parse(text).unwrap()
    }

    #[test]
    fn what_one_has_asked_for_is_for_those_of_the_same_needs() {
        let place = tempfile::tempdir().unwrap();
        let of = || Needs::noted_in(place.path().join("needs"));
        let (this, other) = (Sha256::of(b"this"), Sha256::of(b"other"));
        let silent = of();
        silent.ask(&path("/a/1/a-1.jar"));
        silent.note().unwrap();
        assert!(!place.path().join("needs").exists());

        let first = of();
        assert_eq!(first.say(this), Some(vec![]));
        assert_eq!(first.say(other), None, "once");
        first.ask(&path("/b/1+x/b-1+x.jar"));
        first.ask(&path("/a/1/a-1.jar"));
        first.note().unwrap();

        let next = of();
        assert_eq!(next.say(this).unwrap(), [path("/a/1/a-1.jar"), path("/b/1+x/b-1+x.jar")]);
        next.note().unwrap();
        next.ask(&path("/c/1/c-1.jar"));
        next.note().unwrap();
        assert_eq!(of().say(this).unwrap().len(), 3);
        assert_eq!(of().say(other), Some(vec![]));
    }

    #[test]
    fn no_more_than_so_many() {
        let place = tempfile::tempdir().unwrap();
        let of = || Needs::noted_in(place.path().to_owned());
        let needs = of();
        needs.say(Sha256::of(b"")).unwrap();
        for number in 0..=MOST {
            needs.ask(&path(&format!("/a/{number}")));
        }
        needs.note().unwrap();
        assert_eq!(of().say(Sha256::of(b"")).unwrap().len(), MOST);
    }
}
