//! `code.tar.gz`, unpacked as a peer unpacks it (Fabric `core/container/externalbuilder/tar.go`,
//! `Untar`).

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::report::{Refusal, RefusedBy};
use crate::archive::{
    ArchiveError, EntryFault, EntryPath, GoEntry, GoKind, GoTar, Limits, MAX_NAME_BYTES, gunzip,
};

/// Unpacks what a peer unpacks of `code` into the directory `target`, and tells why one of the
/// two refuses it. True when the archive was read to its end.
///
/// An error is one of this machine, not of the code.
pub(super) fn untar(
    code: impl Read,
    target: &Path,
    refusals: &mut Vec<Refusal>,
) -> Result<bool, ArchiveError> {
    let mut untar = Untar { target, places: BTreeMap::new(), bytes: 0, entries: 0, refusals };
    match untar.archive(code) {
        Ok(()) => Ok(true),
        Err(error @ ArchiveError::Write { .. }) => Err(error),
        Err(error) => {
            untar.refusals.push(Refusal::of_archive(super::CODE_FILE, &error));
            Ok(false)
        }
    }
}

/// Reads the headers of `code` as a peer does when it looks for indexes
/// (`core/common/ccprovider/targzmetadataprovider.go`).
pub(super) fn walk(code: impl Read) -> Result<(), ArchiveError> {
    let mut archive = GoTar::new(gunzip(code)?);
    while archive.next()?.is_some() {}
    Ok(())
}

struct Untar<'a> {
    target: &'a Path,
    /// What stands where, in the directories that were not listed too.
    places: BTreeMap<String, Place>,
    bytes: u64,
    entries: usize,
    refusals: &'a mut Vec<Refusal>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    Directory,
}

impl Untar<'_> {
    fn archive(&mut self, code: impl Read) -> Result<(), ArchiveError> {
        let mut archive = GoTar::new(gunzip(code)?);
        while let Some(entry) = archive.next()? {
            self.count(&entry)?;
            match self.decide(&entry) {
                Ok(None) => {}
                Ok(Some(path)) => self.write(&path, &entry, &mut archive)?,
                Err((by, fault)) => {
                    let name = super::printable(&entry.name);
                    self.refusals.push(Refusal::new(by, &name, fault.to_string()));
                }
            }
        }
        Ok(())
    }

    /// By its header, before any of its content is unpacked.
    fn count(&mut self, entry: &GoEntry) -> Result<(), ArchiveError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        let Limits { bytes, entries } = Limits::SOURCE;
        // The launcher counts directories, too, which an archive need not list.
        if self.entries.max(self.places.len()) > entries {
            Err(ArchiveError::TooManyEntries { limit: entries })
        } else if self.bytes > bytes {
            Err(ArchiveError::TooLarge { limit: bytes })
        } else {
            Ok(())
        }
    }

    /// Where an entry goes; none for the directory of all the code.
    fn decide(&mut self, entry: &GoEntry) -> Result<Option<EntryPath>, (RefusedBy, EntryFault)> {
        let by_peer = |fault| (RefusedBy::Peer, fault);
        let name = clean(&entry.name);
        if name.starts_with(b"/") {
            return Err(by_peer(EntryFault::Absolute));
        }
        if name == b".." || name.starts_with(b"../") {
            return Err(by_peer(EntryFault::Escapes));
        }
        let place = match &entry.kind {
            GoKind::File => Place::File,
            GoKind::Directory => Place::Directory,
            other => return Err(by_peer(EntryFault::of_kind(other))),
        };
        if name == b"." {
            return if place == Place::Directory {
                Ok(None)
            } else {
                Err(by_peer(EntryFault::Empty))
            };
        }
        let path = EntryPath::parse(&name).map_err(|fault| {
            let no_system_takes =
                name.split(|byte| *byte == b'/').any(|n| n.len() > MAX_NAME_BYTES);
            (if no_system_takes { RefusedBy::Peer } else { RefusedBy::Selvedge }, fault)
        })?;
        if self.place(&path, place) {
            Ok(Some(path))
        } else {
            Err(by_peer(EntryFault::FileAndDirectory))
        }
    }

    /// Takes the place for an entry, if a file system would: a file may come again, and is written
    /// over, but no file is a directory as well.
    fn place(&mut self, path: &EntryPath, place: Place) -> bool {
        let is_free = |at: &str, wanted| self.places.get(at).is_none_or(|there| *there == wanted);
        if !is_free(path.as_str(), place) || !path.ancestors().all(|a| is_free(a, Place::Directory))
        {
            return false;
        }
        for ancestor in path.ancestors() {
            self.places.insert(ancestor.to_owned(), Place::Directory);
        }
        self.places.insert(path.as_str().to_owned(), place);
        true
    }

    fn write(
        &self,
        path: &EntryPath,
        entry: &GoEntry,
        content: &mut impl Read,
    ) -> Result<(), ArchiveError> {
        let target = path.below(self.target);
        let directory =
            if entry.kind == GoKind::Directory { Some(&*target) } else { target.parent() };
        if let Some(directory) = directory {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(directory);
            made.map_err(ArchiveError::writing(directory))?;
        }
        if entry.kind == GoKind::Directory {
            return Ok(());
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            // What a longer file of that name had stays behind what is written now: as with a peer.
            .truncate(false)
            .mode(if entry.executable { 0o755 } else { 0o644 })
            .open(&target)
            .map_err(ArchiveError::writing(&target))?;
        copy(content, &file, &target)
    }
}

/// Tells which of the two ends an error is of.
fn copy(content: &mut impl Read, mut file: &File, path: &Path) -> Result<(), ArchiveError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                io::Write::write_all(&mut file, &buffer[..read])
                    .map_err(ArchiveError::writing(path))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ArchiveError::reading(error)),
        }
    }
}

/// The shortest name of the same file, as Go's `filepath.Clean` has it.
pub(super) fn clean(name: &[u8]) -> Vec<u8> {
    let is_absolute = name.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            b".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let path = parts.join(&b'/');
    match (is_absolute, path.is_empty()) {
        (true, _) => [b"/", path.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_as_go_cleans_them() {
        for (name, cleaned) in [
            ("", "."),
            ("./", "."),
            ("./src//./go.mod", "src/go.mod"),
            ("src/", "src"),
            ("src/../go.mod", "go.mod"),
            ("src/../../go.mod", "../go.mod"),
            ("../../a/..", "../.."),
            ("/../a", "/a"),
            ("..a/...", "..a/..."),
        ] {
            assert_eq!(clean(name.as_bytes()), cleaned.as_bytes(), "{name}");
        }
    }
}
