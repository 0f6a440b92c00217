//! Writing a package: the same bytes for the same source and label, whole or not at all.

use std::fs::Permissions;
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::interrupt::Heeding;
use super::{
    CODE_FILE, Draft, Interrupt, Label, MAX_PACKAGE_BYTES, METADATA_FILE, Metadata, PackageId,
};
use crate::archive::{ArchiveWriter, EntryPath, GzipWriter};
use crate::digest::Hashing;

/// What becomes of a file that has the package's name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing fails.
    Keep,
    /// It is replaced once the new one is complete.
    Replace,
}

/// A package that was written.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The ID under which peers will know it.
    pub id: PackageId,
    /// What it says of itself.
    pub metadata: Metadata,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a package was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output could not be written.
    #[error("cannot write {path}")]
    Output {
        /// The package.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file of the source could not be read, or became shorter meanwhile.
    #[error("cannot package {path}")]
    Input {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// There is such a file.
    #[error("{path} exists already")]
    Exists {
        /// The package.
        path: PathBuf,
    },
    /// More than an install can carry.
    #[error("the package would have {size} bytes; a peer accepts at most {MAX_PACKAGE_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// The caller asked to stop.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// Writes `draft` as a package with the given label to `output`.
///
/// Everything is written beside `output` under another name first; on an error nothing is left.
pub fn write(
    draft: &Draft,
    label: &Label,
    output: &Path,
    existing: Existing,
    interrupt: &Interrupt,
) -> Result<Packed, WriteError> {
    if existing == Existing::Keep && output.symlink_metadata().is_ok() {
        return Err(WriteError::Exists { path: output.to_owned() });
    }
    let metadata = Metadata {
        path: draft.path.clone(),
        kind: draft.kind.clone(),
        label: label.clone(),
        extra: serde_json::Map::new(),
    };
    let work = Work { output, interrupt };
    let packed = work.write(draft, &metadata, existing);
    if interrupt.requested() && packed.is_err() {
        return Err(WriteError::Interrupted);
    }
    packed
}

struct Work<'a> {
    output: &'a Path,
    interrupt: &'a Interrupt,
}

impl Work<'_> {
    fn write(
        &self,
        draft: &Draft,
        metadata: &Metadata,
        existing: Existing,
    ) -> Result<Packed, WriteError> {
        let directory = match self.output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut code = tempfile::tempfile_in(directory).map_err(|e| self.failed(e))?;
        self.write_code(draft, &mut code)?;
        let mut package = tempfile::Builder::new()
            .prefix(".selvedge-")
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(directory)
            .map_err(|e| self.failed(e))?;
        let (digest, size) =
            self.write_package(metadata, &mut code, &mut package).map_err(|e| self.failed(e))?;
        if size > MAX_PACKAGE_BYTES {
            return Err(WriteError::TooLarge { size });
        }
        self.publish(package, existing)?;
        let label = metadata.label.clone();
        Ok(Packed { id: PackageId { label, digest }, metadata: metadata.clone(), size })
    }

    fn write_code(&self, draft: &Draft, target: &mut std::fs::File) -> Result<(), WriteError> {
        let heeding = self.interrupt.heeded_by(BufWriter::new(target));
        let mut archive = ArchiveWriter::new(GzipWriter::new(heeding));
        for file in &draft.files {
            // 0644 whatever the file has, as Fabric's packager does: permissions do not survive
            // every way in which source travels, and the package ID must.
            archive
                .file_at(&file.path, 0o644, &file.on_disk)
                .map_err(|source| WriteError::Input { path: file.on_disk.clone(), source })?;
        }
        let finish = || archive.finish()?.finish()?.into_inner().flush();
        finish().map_err(|e| self.failed(e))
    }

    fn write_package(
        &self,
        metadata: &Metadata,
        code: &mut std::fs::File,
        package: &mut NamedTempFile,
    ) -> io::Result<(crate::digest::Sha256, u64)> {
        let size = code.stream_position()?;
        code.rewind()?;
        let buffered = BufWriter::new(Hashing::new(package.as_file_mut()));
        let heeding = self.interrupt.heeded_by(buffered);
        let mut archive = ArchiveWriter::new(GzipWriter::new(heeding));
        archive.bytes(&top_level(METADATA_FILE), 0o644, &metadata.to_json()?)?;
        archive.file(&top_level(CODE_FILE), 0o644, size, code)?;
        let buffered = archive.finish()?.finish().map(Heeding::into_inner)?;
        let (file, digest, size) = buffered.into_inner()?.finish();
        file.sync_all()?;
        Ok((digest, size))
    }

    fn publish(&self, package: NamedTempFile, existing: Existing) -> Result<(), WriteError> {
        let published = match existing {
            Existing::Keep => package.persist_noclobber(self.output),
            Existing::Replace => package.persist(self.output),
        };
        match published {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(WriteError::Exists { path: self.output.to_owned() })
            }
            Err(error) => Err(self.failed(error.error)),
        }
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError::Output { path: self.output.to_owned(), source }
    }
}

fn top_level(name: &str) -> EntryPath {
    EntryPath::parse(name.as_bytes()).expect("the two names of a package's files are paths")
}
