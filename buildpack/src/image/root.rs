//! The root file system of an image that somebody else made: its layers laid one over the other, as
//! containerd and Docker do (`layer.md` of the image specification).
//!
//! Such layers have what [`scan`](crate::archive::scan) refuses, and most images could not run
//! without: links to absolute places, hard links, directories that another layer has as links, and
//! whiteouts. So nothing here takes a path of an archive for one of this machine. Each is walked from
//! the root of the image, by what lies there, and a link on the way leads to where it would lead a
//! process that has this root. Who else could put a link there meanwhile has the launcher's rights
//! already.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::foreign::ForeignLayer;
use super::unpack::drain;
use super::{Foreign, Layout, UnpackError, sha256};
use crate::archive::{ArchiveError, EntryFault, Extended, Extensions, Limits, printable, stage};
use crate::digest::Hashing;

/// All layers together: an operating system with a language's tools in it, ten times over.
const LIMITS: Limits = Limits { bytes: 16 << 30, entries: 1_000_000 };

/// What a name begins with that takes away what lies below (`layer.md`, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";

/// The name that takes away all that layers below have in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// How many links may lead to one place, as on Linux (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Lays the image's layers into the new directory `target`, whose files are all the caller's.
///
/// Every digest is checked on the way. On an error nothing is left.
pub fn lay_out(layout: &Layout, image: &Foreign, target: &Path) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Target { target: target.to_owned(), source };
    stage(target, failed, |staging| {
        let mut root = Root { path: staging, bytes: 0, entries: 0 };
        image.layers.iter().try_for_each(|layer| lay(layout, layer, &mut root))?;
        // What layers may have said of it themselves.
        fs::set_permissions(staging, Permissions::from_mode(0o755))
            .map_err(|error| failed(ArchiveError::writing(staging)(error)))
    })
}

/// Lays one layer over what is there.
fn lay(
    layout: &Layout,
    ForeignLayer { blob, compression, diff_id }: &ForeignLayer,
    root: &mut Root<'_>,
) -> Result<(), UnpackError> {
    let name = || blob.digest().to_string();
    let failed = |source| UnpackError::Layer { layer: name(), source };
    let digest = sha256(blob).ok_or_else(|| failed(ArchiveError::NotGzip))?;
    let mut compressed =
        Hashing::new(BufReader::new(layout.open_blob(digest)?.0.take(blob.size())));
    let content = compression.open(&mut compressed).map_err(failed)?;
    let actual_diff_id = laid(content, root).map_err(failed)?;
    drain(&mut compressed).map_err(failed)?;
    let (_, actual, _) = compressed.finish();
    let damaged = |what, actual| Err(UnpackError::Damaged { layer: name(), what, actual });
    if actual != digest {
        damaged("digest", actual)
    } else if actual_diff_id.to_string() != *diff_id {
        damaged("diff ID", actual_diff_id)
    } else {
        Ok(())
    }
}

/// The diff ID of what was laid.
fn laid(content: impl Read, root: &mut Root<'_>) -> Result<crate::digest::Sha256, ArchiveError> {
    // What lies behind the archive's end is no part of it, and need not end.
    let mut content = Hashing::new(content.take(LIMITS.bytes));
    root.lay(&mut content)?;
    drain(&mut content)?;
    Ok(content.finish().1)
}

/// A root file system, and what has gone into it so far.
struct Root<'a> {
    path: &'a Path,
    bytes: u64,
    entries: usize,
}

/// Why an entry is not laid.
enum Fault {
    /// For what it is.
    Entry(EntryFault),
    /// For what lies in its way, or could not be written.
    Write(io::Error),
    /// The archive ends in it.
    Archive(ArchiveError),
}

impl From<EntryFault> for Fault {
    fn from(fault: EntryFault) -> Self {
        Self::Entry(fault)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl Fault {
    fn of(self, name: &[u8]) -> ArchiveError {
        match self {
            Self::Entry(fault) => ArchiveError::Entry { path: printable(name), fault },
            Self::Write(source) => ArchiveError::Write { path: printable(name).into(), source },
            Self::Archive(error) => error,
        }
    }
}

impl Root<'_> {
    fn lay(&mut self, content: impl Read) -> Result<(), ArchiveError> {
        let mut archive = tar::Archive::new(content);
        let mut extensions = Extensions::default();
        // What this layer has itself, with all above it: its own whiteouts leave that.
        let mut own = HashSet::new();
        for entry in archive.entries().map_err(ArchiveError::reading)?.raw(true) {
            let mut entry = entry.map_err(ArchiveError::reading)?;
            self.count(entry.size())?;
            if extensions.read(&mut entry)? {
                continue;
            }
            let extended = extensions.take(&entry);
            let put = self.put(&mut entry, &extended, &mut own);
            put.map_err(|fault| fault.of(&extended.name))?;
        }
        Ok(())
    }

    fn count(&mut self, size: u64) -> Result<(), ArchiveError> {
        self.bytes = self.bytes.saturating_add(size);
        self.entries += 1;
        let Limits { bytes, entries } = LIMITS;
        if self.bytes > bytes {
            return Err(ArchiveError::TooLarge { limit: bytes });
        }
        if self.entries > entries {
            return Err(ArchiveError::TooManyEntries { limit: entries });
        }
        Ok(())
    }

    fn put<R: Read>(
        &self,
        entry: &mut tar::Entry<'_, R>,
        Extended { name, target, fault }: &Extended,
        own: &mut HashSet<PathBuf>,
    ) -> Result<(), Fault> {
        if let Some(fault) = fault {
            return Err(fault.clone().into());
        }
        let mut parts = parts(name)?;
        // The root itself.
        let Some(last) = parts.pop() else { return Ok(()) };
        let directory = self.directory(parts)?;
        if let Some(hidden) = last.as_bytes().strip_prefix(WHITEOUT) {
            return white_out(&directory, &last, OsStr::from_bytes(hidden), own);
        }
        let path = directory.join(&last);
        let mode = entry.header().mode().unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Directory => {
                if !path.symlink_metadata().is_ok_and(|there| there.is_dir()) {
                    remove(&path)?;
                    fs::create_dir(&path)?;
                }
                // Its owner, who has all of it, may be another than its image means.
                fs::set_permissions(&path, Permissions::from_mode(mode & 0o1777 | 0o700))?;
            }
            EntryType::Regular | EntryType::Continuous => {
                remove(&path)?;
                write(entry, &path)?;
                fs::set_permissions(&path, Permissions::from_mode(mode & 0o777 | 0o400))?;
            }
            EntryType::Symlink => {
                remove(&path)?;
                symlink(OsStr::from_bytes(target), &path)?;
            }
            EntryType::Link => {
                let mut parts = self::parts(target)?;
                let Some(last) = parts.pop() else { return Err(EntryFault::Empty.into()) };
                let linked = self.directory(parts)?.join(last);
                if linked != path {
                    remove(&path)?;
                    fs::hard_link(&linked, &path)?;
                }
            }
            // No user but root may make devices; what a process needs of them it has from its host.
            EntryType::Char | EntryType::Block | EntryType::Fifo | EntryType::XGlobalHeader => {
                return Ok(());
            }
            other => return Err(EntryFault::special(other.as_byte()).into()),
        }
        let above = path.ancestors().take_while(|above| *above != self.path);
        own.extend(above.map(Path::to_owned));
        Ok(())
    }

    /// The directory that a process finds by this path whose root this is. What is missing of it is
    /// made.
    fn directory(&self, path: Vec<OsString>) -> io::Result<PathBuf> {
        let (mut found, mut links) = (Vec::<OsString>::new(), 0);
        let mut rest = VecDeque::from(path);
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                found.pop();
                continue;
            }
            let here = self.path.join(found.iter().collect::<PathBuf>()).join(&part);
            match here.symlink_metadata() {
                Ok(there) if there.is_symlink() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(io::Error::other("too many links lead to it"));
                    }
                    let target = fs::read_link(&here)?;
                    if target.is_absolute() {
                        found.clear();
                    }
                    for part in steps(target.as_os_str().as_bytes()).rev() {
                        rest.push_front(part);
                    }
                }
                Ok(there) if there.is_dir() => found.push(part),
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir(&here)?;
                    found.push(part);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.path.join(found.iter().collect::<PathBuf>()))
    }
}

/// The parts of a path, without those that lead nowhere.
fn steps(path: &[u8]) -> impl DoubleEndedIterator<Item = OsString> {
    let parts = path.split(|byte| *byte == b'/');
    parts
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsStr::from_bytes(part).to_owned())
}

/// The parts of a name in an archive, which leads down alone.
fn parts(name: &[u8]) -> Result<Vec<OsString>, EntryFault> {
    let parts: Vec<_> = steps(name).collect();
    if parts.iter().any(|part| part == "..") { Err(EntryFault::Escapes) } else { Ok(parts) }
}

/// Takes away what layers below have.
fn white_out(
    directory: &Path,
    name: &OsStr,
    hidden: &OsStr,
    own: &HashSet<PathBuf>,
) -> Result<(), Fault> {
    if name.as_bytes() == OPAQUE {
        return Ok(empty(directory, own)?);
    }
    match hidden.as_bytes() {
        b"" | b"." | b".." => Err(EntryFault::Escapes.into()),
        // What an engine notes for itself.
        noted if noted.starts_with(WHITEOUT) => Ok(()),
        _ => Ok(remove(&directory.join(hidden))?),
    }
}

/// Removes all that lies in a directory and is none of the layer's own.
fn empty(directory: &Path, own: &HashSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if !own.contains(&path) {
            remove(&path)?;
        } else if entry.file_type()?.is_dir() {
            empty(&path, own)?;
        }
    }
    Ok(())
}

/// Removes what is there, if anything is; what a link leads to stays.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write<R: Read>(entry: &mut tar::Entry<'_, R>, path: &Path) -> Result<(), Fault> {
    let size = entry.size();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Of a file that cannot be written, the system says so just as well.
    let written = io::copy(entry, &mut file)?;
    if written == size { Ok(()) } else { Err(Fault::Archive(ArchiveError::Truncated)) }
}

#[cfg(test)]
#[path = "root_tests.rs"]
mod tests;
