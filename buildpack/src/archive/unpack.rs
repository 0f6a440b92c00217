//! Unpacking into a directory.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use super::{ArchiveError, Entry, EntryFault, EntryPath, Kind, Limits, Link, Visit, scan};

/// Which permissions unpacked files get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// 0644, or 0755 for what its owner may execute: source code.
    Source,
    /// As recorded, but never set-user-ID or set-group-ID: an image's layers, which may also
    /// replace the files of the layer below, and have links. Through a link of the layer below
    /// nothing is written.
    Layer,
}

/// Unpacks `reader` below `root`, which must exist and hold no symbolic links but those of layers.
///
/// What was written before an error stays: see [`stage`](super::stage).
pub fn unpack<R: Read>(
    reader: R,
    root: &Path,
    limits: Limits,
    modes: Modes,
) -> Result<(), ArchiveError> {
    scan(reader, limits, &mut Unpack { root, modes })
}

struct Unpack<'a> {
    root: &'a Path,
    modes: Modes,
}

impl Visit for Unpack<'_> {
    type Error = ArchiveError;

    fn entry(&mut self, mut entry: Entry<'_>) -> Result<(), ArchiveError> {
        let path = entry.path.below(self.root);
        let mode = self.mode(&entry);
        match entry.kind {
            Kind::Directory => {
                self.expect_no_link(&entry.path, [entry.path.as_str()])?;
                make_directories(&path)?;
            }
            Kind::File => {
                self.make_room(&entry.path, &path)?;
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(ArchiveError::writing(&path))?;
                entry.copy_to(&mut file, &path)?;
            }
        }
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(ArchiveError::writing(path))
    }

    fn link(&mut self, link: Link) -> Result<(), ArchiveError> {
        if self.modes == Modes::Source {
            let fault = EntryFault::Symlink(link.target.as_str().to_owned());
            return self.fault(link.path.to_string(), fault);
        }
        let path = link.path.below(self.root);
        self.make_room(&link.path, &path)?;
        symlink(link.target.as_str(), &path).map_err(ArchiveError::writing(path))
    }
}

impl Unpack<'_> {
    /// Makes the directories above a file or link, and removes what a layer below has in its place.
    fn make_room(&self, entry: &EntryPath, path: &Path) -> Result<(), ArchiveError> {
        self.expect_no_link(entry, [])?;
        if let Some(parent) = path.parent() {
            make_directories(parent)?;
        }
        let is_there = path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir());
        if self.modes == Modes::Layer && is_there {
            fs::remove_file(path).map_err(ArchiveError::writing(path))?;
        }
        Ok(())
    }

    /// What lies below a link of a layer below would be written to where that leads.
    fn expect_no_link<'a>(
        &self,
        entry: &'a EntryPath,
        more: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ArchiveError> {
        if self.modes == Modes::Source {
            return Ok(());
        }
        let is_link = |above: &str| self.root.join(above).is_symlink();
        if entry.ancestors().chain(more).any(is_link) {
            let (path, fault) = (entry.to_string(), EntryFault::FileAndDirectory);
            return Err(ArchiveError::Entry { path, fault });
        }
        Ok(())
    }

    fn mode(&self, entry: &Entry<'_>) -> u32 {
        match (self.modes, entry.kind) {
            (Modes::Layer, Kind::File) => entry.mode & 0o777,
            (Modes::Layer, Kind::Directory) => entry.mode & 0o1777,
            (Modes::Source, Kind::File) if entry.mode & 0o100 == 0 => 0o644,
            (Modes::Source, _) => 0o755,
        }
    }
}

fn make_directories(path: &Path) -> Result<(), ArchiveError> {
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(ArchiveError::writing(path))
}
