//! Unpacking into a directory.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{ArchiveError, Entry, Kind, Limits, Visit, scan};

/// Which permissions unpacked files get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// 0644, or 0755 for what its owner may execute: source code.
    Source,
    /// As recorded, but never set-user-ID or set-group-ID: an image's layers, which may also
    /// replace the files of the layer below.
    Layer,
}

/// Unpacks `reader` below `root`, which must exist and hold no symbolic links.
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
            Kind::Directory => make_directories(&path)?,
            Kind::File => {
                if let Some(parent) = path.parent() {
                    make_directories(parent)?;
                }
                if self.modes == Modes::Layer && path.is_file() {
                    fs::remove_file(&path).map_err(ArchiveError::writing(&path))?;
                }
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
}

impl Unpack<'_> {
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
