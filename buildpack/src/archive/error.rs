//! Why an archive, or one entry of it, is refused.

use std::io;
use std::path::PathBuf;

use super::go_entry::GoKind;
use super::printable::printable;

/// Why an archive cannot be used. Does not name the archive: who opened it does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The first bytes are not those of a gzip file.
    #[error("not a gzip file")]
    NotGzip,
    /// The archive ends before its end marker.
    #[error("truncated: it ends before the end of its content")]
    Truncated,
    /// Decompression or tar framing failed, or the file could not be read.
    #[error("not a readable tar archive")]
    Unreadable(#[source] io::Error),
    /// Something follows the end marker, which other readers may or may not see.
    #[error("holds data after the end of its content")]
    TrailingData,
    /// The content is larger than allowed.
    #[error("unpacks to more than {limit} bytes")]
    TooLarge {
        /// The most bytes allowed.
        limit: u64,
    },
    /// There are more entries than allowed.
    #[error("holds more than {limit} entries")]
    TooManyEntries {
        /// The most entries allowed.
        limit: usize,
    },
    /// One entry is not acceptable.
    #[error("`{path}` {fault}")]
    Entry {
        /// The entry's name as the archive has it, made printable.
        path: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// Writing what was unpacked, or what goes into an archive, failed.
    #[error("cannot write {path}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl ArchiveError {
    /// Classifies an error met while reading an archive.
    pub(crate) fn reading(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Truncated
        } else {
            Self::Unreadable(error)
        }
    }

    /// Returns a function that names `path` in an error met while writing.
    pub(crate) fn writing(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Write { path: path.into(), source }
    }
}

/// What is wrong with one entry. Reads as the end of a sentence that began with its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// No name at all.
    #[error("has an empty path")]
    Empty,
    /// Begins with a slash.
    #[error("is an absolute path")]
    Absolute,
    /// Has a `..` component.
    #[error("has `..` in its path")]
    Escapes,
    /// Longer or deeper than any file needs to be.
    #[error("has a path longer than {max} bytes or deeper than {depth} directories", max = super::MAX_PATH_BYTES, depth = super::MAX_PATH_DEPTH)]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("has a path that is not printable UTF-8 text")]
    NotText,
    /// A regular file whose name ends in a slash: a directory to some readers.
    #[error("is a file whose path ends in `/`")]
    FileLikeDirectory,
    /// A symbolic link.
    #[error("is a symbolic link to `{0}`; only regular files and directories are allowed")]
    Symlink(String),
    /// A symbolic link in a tree that may have some, to somewhere else.
    #[error(
        "is a symbolic link to `{0}`, which does not lead straight to a place in the same tree"
    )]
    LinkOutside(String),
    /// A hard link.
    #[error("is a hard link to `{0}`; only regular files and directories are allowed")]
    HardLink(String),
    /// A device, a pipe, a sparse file, a global header.
    #[error("is a special entry of tar type `{0}`; only regular files and directories are allowed")]
    Special(char),
    /// A directory with data, or a size given twice: readers disagree on where the next one starts.
    #[error("has a size that readers of tar understand differently")]
    AmbiguousSize,
    /// Two names given for one entry.
    #[error("has two names that readers of tar understand differently")]
    AmbiguousName,
    /// The path was there before.
    #[error("appears twice")]
    Duplicate,
    /// A file stands where a directory is needed, or the other way round.
    #[error("is both a file and a directory")]
    FileAndDirectory,
}

impl EntryFault {
    /// What is wrong with an entry that is neither file nor directory.
    pub(crate) fn of_kind(kind: &GoKind) -> Self {
        match kind {
            GoKind::Symlink(target) => Self::Symlink(printable(target)),
            GoKind::HardLink(target) => Self::HardLink(printable(target)),
            GoKind::File => Self::special(b'0'),
            GoKind::Directory => Self::special(b'5'),
            GoKind::Other(kind) => Self::special(*kind),
        }
    }

    pub(crate) fn special(kind: u8) -> Self {
        Self::Special(if kind.is_ascii_graphic() { kind.into() } else { '?' })
    }
}
