//! Chaincode source as a peer hands it to `build`: `src/…` and `META-INF/…` below one directory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::archive::{
    ArchiveError, ArchiveWriter, EntryFault, EntryPath, Limits, Modes, stage, unpack,
};
use crate::digest::{Hashing, Sha256};

/// The most that is read of a text, in bytes: nobody writes more by hand.
const MOST_OF_TEXT: u64 = 1 << 20;

/// A source tree on disk: its regular files, sorted by path. Empty directories do not count.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
    files: Vec<SourceFile>,
}

/// One file of a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the root, such as `src/go.mod`.
    pub path: EntryPath,
    /// Its size in bytes.
    pub size: u64,
    /// Whether its owner may execute it: the one permission that matters to a build.
    pub executable: bool,
}

/// Why a directory or a stream is no usable source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or directory could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file that no source may hold.
    #[error("{path} {fault}")]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: EntryFault,
    },
    /// The directory holds too much.
    #[error("source directory {root} is too large")]
    Oversize {
        /// The directory.
        root: PathBuf,
        /// Which limit.
        #[source]
        source: ArchiveError,
    },
    /// The tar stream could not be written.
    #[error("cannot send the source file {path}")]
    Send {
        /// The file that was being sent.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The tar stream that was received cannot be unpacked.
    #[error("cannot unpack the source into {target}")]
    Receive {
        /// Where it was to be unpacked.
        target: PathBuf,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
}

impl From<walkdir::Error> for SourceError {
    fn from(error: walkdir::Error) -> Self {
        Self::Read { path: error.path().unwrap_or(Path::new("")).to_owned(), source: error.into() }
    }
}

impl Source {
    /// Lists the source below `root`. The peer unpacks regular files and directories only
    /// (Fabric `core/container/externalbuilder/tar.go`); anything else is refused.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let limits = Limits::SOURCE;
        let mut files = Vec::new();
        let mut bytes = 0;
        for entry in WalkDir::new(root).min_depth(1) {
            let entry = entry?;
            if entry.file_type().is_dir() {
                continue;
            }
            let file = SourceFile::open(root, &entry)?;
            bytes += file.size;
            files.push(file);
            let oversize = if bytes > limits.bytes {
                ArchiveError::TooLarge { limit: limits.bytes }
            } else if files.len() > limits.entries {
                ArchiveError::TooManyEntries { limit: limits.entries }
            } else {
                continue;
            };
            return Err(SourceError::Oversize { root: root.to_owned(), source: oversize });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root: root.to_owned(), files })
    }

    /// The directory that holds `src` and `META-INF`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files, sorted by path.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The paths of the files.
    pub fn paths(&self) -> BTreeSet<EntryPath> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// The source with no other files than those whose paths are `wanted`.
    pub(crate) fn part(&self, wanted: impl Fn(&EntryPath) -> bool) -> Self {
        let files = self.files.iter().filter(|file| wanted(&file.path)).cloned().collect();
        Self { root: self.root.clone(), files }
    }

    /// The texts of the files whose paths are `wanted`, as far as they are worth reading; what cannot
    /// be read is left out.
    pub(crate) fn texts(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
        let files = self.files.iter().filter(move |file| wanted(file.path.as_str()));
        files.filter_map(|file| {
            let mut text = Vec::new();
            let content = File::open(file.path.below(&self.root)).ok()?;
            content.take(MOST_OF_TEXT).read_to_end(&mut text).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        })
    }

    /// Writes the source as an uncompressed tar stream, the same bytes for the same files, and
    /// returns the SHA-256 of those bytes.
    pub fn write_tar<W: Write>(&self, writer: W) -> Result<Sha256, SourceError> {
        let mut archive = ArchiveWriter::new(Hashing::new(writer));
        for file in &self.files {
            let on_disk = file.path.below(&self.root);
            let mode = if file.executable { 0o755 } else { 0o644 };
            File::open(&on_disk)
                .and_then(|content| archive.file(&file.path, mode, file.size, content))
                .map_err(|source| SourceError::Send { path: on_disk, source })?;
        }
        let hashing = archive
            .finish()
            .map_err(|source| SourceError::Send { path: self.root.clone(), source })?;
        Ok(hashing.finish().1)
    }

    /// The SHA-256 of what [`Source::write_tar`] writes.
    pub fn digest(&self) -> Result<Sha256, SourceError> {
        self.write_tar(io::sink())
    }

    /// Unpacks a tar stream into the new directory `target`, whoever sent it.
    ///
    /// Bounded by [`Limits::SOURCE`]. On an error nothing is left. Take the digest from the
    /// result rather than from the stream: it is that of the files, however they were packed.
    pub fn unpack<R: Read>(reader: R, target: &Path) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Receive { target: target.to_owned(), source };
        stage(target, failed, |staging| {
            unpack(reader, staging, Limits::SOURCE, Modes::Source).map_err(failed)
        })?;
        Self::open(target)
    }
}

impl SourceFile {
    fn open(root: &Path, entry: &walkdir::DirEntry) -> Result<Self, SourceError> {
        let refused = |fault| SourceError::Refused { path: entry.path().to_owned(), fault };
        if entry.file_type().is_symlink() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            return Err(refused(EntryFault::Symlink(target.display().to_string())));
        }
        if !entry.file_type().is_file() {
            return Err(refused(EntryFault::Special('?')));
        }
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let path = EntryPath::parse(below.as_os_str().as_encoded_bytes()).map_err(refused)?;
        let metadata = entry.metadata()?;
        Ok(Self {
            path,
            size: metadata.len(),
            executable: metadata.permissions().mode() & 0o100 != 0,
        })
    }
}
