//! Reading a package that somebody else made: strictly, and with bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::metadata::MAX_METADATA_BYTES;
use super::{CODE_FILE, MAX_PACKAGE_BYTES, METADATA_FILE, Metadata, MetadataFault, PackageId};
use crate::archive::{
    ArchiveError, Entry, Kind, Limits, Modes, Visit, gunzip, scan, stage, unpack as unpack_archive,
};
use crate::digest::Hashing;

/// What the outer archive may hold: code as large as the whole package, the metadata, and a few
/// small files of other tools.
pub(super) const PACKAGE_LIMITS: Limits =
    Limits { bytes: MAX_PACKAGE_BYTES + (1 << 20), entries: 16 };

/// A package whose code was unpacked.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Its ID.
    pub id: PackageId,
    /// What it says of itself.
    pub metadata: Metadata,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The file could not be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// The package.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// More than an install can carry.
    #[error("{path} has {size} bytes; a peer accepts at most {MAX_PACKAGE_BYTES}")]
    TooLarge {
        /// The package.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// The package is no acceptable archive.
    #[error("{path}")]
    Archive {
        /// The package.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// The code in it is no acceptable archive.
    #[error("{CODE_FILE} in {path}")]
    Code {
        /// The package.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// The metadata is not acceptable.
    #[error("{METADATA_FILE} in {path} {fault}")]
    Metadata {
        /// The package.
        path: PathBuf,
        /// Why.
        fault: MetadataFault,
    },
    /// One of the two files is not there.
    #[error("{path} holds no {file}")]
    Missing {
        /// The package.
        path: PathBuf,
        /// The file that is missing.
        file: &'static str,
    },
}

/// Unpacks the code of the package `path` into the new directory `target`: `src/…`, `META-INF/…`.
///
/// Bounded by [`Limits::SOURCE`]. On an error nothing is left.
pub fn unpack(path: &Path, target: &Path) -> Result<Unpacked, PackageError> {
    let reading = |source| PackageError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(reading)?;
    let size = file.metadata().map_err(reading)?.len();
    if size > MAX_PACKAGE_BYTES {
        return Err(PackageError::TooLarge { path: path.to_owned(), size });
    }
    stage(target, Refused::Archive, |staging| Reader::new(staging).read(file))
        .map_err(|error: Refused| error.in_package(path))
}

struct Reader<'a> {
    target: &'a Path,
    metadata: Option<Metadata>,
    code: bool,
}

/// A [`PackageError`] that does not know its package yet.
enum Refused {
    Read(io::Error),
    Archive(ArchiveError),
    Code(ArchiveError),
    Metadata(MetadataFault),
    Missing(&'static str),
}

impl From<ArchiveError> for Refused {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl Refused {
    fn in_package(self, path: &Path) -> PackageError {
        let path = path.to_owned();
        match self {
            Self::Read(source) => PackageError::Read { path, source },
            Self::Archive(source) => PackageError::Archive { path, source },
            Self::Code(source) => PackageError::Code { path, source },
            Self::Metadata(fault) => PackageError::Metadata { path, fault },
            Self::Missing(file) => PackageError::Missing { path, file },
        }
    }
}

impl<'a> Reader<'a> {
    fn new(target: &'a Path) -> Self {
        Self { target, metadata: None, code: false }
    }

    fn read(mut self, file: File) -> Result<Unpacked, Refused> {
        let mut hashing = Hashing::new(file);
        scan(gunzip(&mut hashing)?, PACKAGE_LIMITS, &mut self)?;
        io::copy(&mut hashing, &mut io::sink()).map_err(Refused::Read)?;
        let metadata = self.metadata.ok_or(Refused::Missing(METADATA_FILE))?;
        if !self.code {
            return Err(Refused::Missing(CODE_FILE));
        }
        let label = metadata.label.clone();
        let (_, digest, _) = hashing.finish();
        Ok(Unpacked { id: PackageId { label, digest }, metadata })
    }
}

impl Visit for Reader<'_> {
    type Error = Refused;

    fn entry(&mut self, mut entry: Entry<'_>) -> Result<(), Refused> {
        match (entry.path.as_str(), entry.kind) {
            (METADATA_FILE, Kind::File) => {
                let json = entry.bytes(MAX_METADATA_BYTES)?;
                self.metadata = Some(Metadata::parse(&json).map_err(Refused::Metadata)?);
            }
            (CODE_FILE, Kind::File) => {
                let code = gunzip(entry.reader() as &mut dyn Read).map_err(Refused::Code)?;
                unpack_archive(code, self.target, Limits::SOURCE, Modes::Source)
                    .map_err(Refused::Code)?;
                self.code = true;
            }
            // The peer logs a warning and goes on; so do we.
            _ => {}
        }
        Ok(())
    }
}
