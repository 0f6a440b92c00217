//! The chaincode's source as a tar: how it is written, kept and sent.
//!
//! The same source gives the same bytes on every machine: names sorted, no
//! times, no owners, two modes. It holds regular files and directories only, as
//! a chaincode package does (Fabric's `core/container/externalbuilder/tar.go`).

use std::{
    fs::{self, File, Metadata},
    io::{self, BufWriter, Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use walkdir::{DirEntry, WalkDir};

use crate::metadata::PROGRAM;

/// Bytes of source at most, unpacked. A package is under 100 MiB, but a
/// kilobyte of it may unpack to gigabytes.
const LIMIT: u64 = 1 << 30;

/// Bytes in one message to the launcher. The API allows 1 MiB; little is kept in
/// memory this way.
const CHUNK: u64 = 64 * 1024;

/// Why a source can not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or directory can not be read.
    #[error("cannot read {path}", path = .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or directory can not be put into the tar.
    #[error("cannot pack {path}", path = .path.display())]
    Pack {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A copy of it can not be written.
    #[error("cannot write {path}", path = .path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Only files and directories can be in a chaincode package.
    #[error("{path} is a {kind}: a chaincode's source holds regular files and directories only", path = .path.display())]
    Kind {
        /// What is in the way.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// More than a chaincode can be.
    #[error("the source in {path} is over {} MiB", LIMIT >> 20, path = .0.display())]
    Size(PathBuf),
}

/// Writes the tar of a directory to a file.
pub(crate) fn pack(directory: &Path, destination: &Path) -> Result<(), SourceError> {
    let unwritable = |source| SourceError::Write { path: destination.into(), source };
    let file = File::create_new(destination).map_err(unwritable)?;
    let mut tar = Builder::new(BufWriter::new(file));
    let mut size = 0;
    for entry in entries(directory) {
        let entry = entry?;
        let metadata = entry.metadata().map_err(unreadable)?;
        size += if metadata.is_file() { metadata.len() } else { 0 };
        if size > LIMIT {
            return Err(SourceError::Size(directory.into()));
        }
        append(&mut tar, relative(directory, &entry), entry.path(), &metadata)
            .map_err(|source| SourceError::Pack { path: entry.path().into(), source })?;
    }
    tar.into_inner().and_then(|mut written| written.flush()).map_err(unwritable)
}

/// Writes the tar of a package that has nothing but this program to a file.
pub(crate) fn pack_program(program: File, destination: &Path) -> Result<(), SourceError> {
    let name = Path::new("src").join(PROGRAM);
    let packing = |source| SourceError::Pack { path: name.clone(), source };
    let metadata = program.metadata().map_err(packing)?;
    if metadata.len() > LIMIT {
        return Err(SourceError::Size(name));
    }
    let unwritable = |source| SourceError::Write { path: destination.into(), source };
    let file = File::create_new(destination).map_err(unwritable)?;
    let mut tar = Builder::new(BufWriter::new(file));
    append_file(&mut tar, &name, program, &metadata).map_err(packing)?;
    tar.into_inner().and_then(|mut written| written.flush()).map_err(unwritable)
}

/// Copies a directory, of the kinds of files that a source may hold.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), SourceError> {
    fs::create_dir(to).map_err(|source| SourceError::Write { path: to.into(), source })?;
    for entry in entries(from) {
        let entry = entry?;
        let destination = to.join(relative(from, &entry));
        let copied = if entry.file_type().is_dir() {
            fs::create_dir(&destination)
        } else {
            fs::copy(entry.path(), &destination).map(drop)
        };
        copied.map_err(|source| SourceError::Write { path: destination, source })?;
    }
    Ok(())
}

/// Sends a tar in chunks, as fast as the launcher takes them.
///
/// A launcher that takes no more has ended the call; its answer says why.
pub(crate) async fn send<Request>(
    tar: File,
    requests: &mpsc::Sender<Request>,
    request: impl Fn(Vec<u8>) -> Request,
) -> io::Result<()> {
    loop {
        let mut chunk = Vec::new();
        (&tar).take(CHUNK).read_to_end(&mut chunk)?;
        if chunk.is_empty() || requests.send(request(chunk)).await.is_err() {
            return Ok(());
        }
    }
}

/// What is in a directory, sorted, each before what is in it.
fn entries(directory: &Path) -> impl Iterator<Item = Result<DirEntry, SourceError>> {
    WalkDir::new(directory).min_depth(1).sort_by_file_name().into_iter().map(|entry| {
        let entry = entry.map_err(unreadable)?;
        match kind(&entry) {
            Some(kind) => Err(SourceError::Kind { path: entry.into_path(), kind }),
            None => Ok(entry),
        }
    })
}

/// What an entry is, if it is neither file nor directory.
fn kind(entry: &DirEntry) -> Option<&'static str> {
    let kind = entry.file_type();
    if kind.is_file() || kind.is_dir() {
        None
    } else if kind.is_symlink() {
        Some("symbolic link")
    } else {
        Some("special file")
    }
}

fn unreadable(error: walkdir::Error) -> SourceError {
    SourceError::Read { path: error.path().unwrap_or(Path::new("?")).into(), source: error.into() }
}

fn relative<'a>(root: &Path, entry: &'a DirEntry) -> &'a Path {
    entry.path().strip_prefix(root).unwrap_or(entry.path())
}

/// Appends a file or directory as `name`.
fn append(
    tar: &mut Builder<BufWriter<File>>,
    name: &Path,
    path: &Path,
    metadata: &Metadata,
) -> io::Result<()> {
    if metadata.is_dir() {
        return append_entry(tar, &mut header(metadata), name, io::empty());
    }
    append_file(tar, name, File::open(path)?, metadata)
}

/// Appends an open file as `name`.
fn append_file(
    tar: &mut Builder<BufWriter<File>>,
    name: &Path,
    file: File,
    metadata: &Metadata,
) -> io::Result<()> {
    let mut content = file.take(metadata.len());
    append_entry(tar, &mut header(metadata), name, &mut content)?;
    if content.limit() > 0 {
        return Err(io::Error::other("it shrank while it was read"));
    }
    Ok(())
}

/// What the tar says of a file or directory, but for its name: no more than
/// whether it can be executed.
fn header(metadata: &Metadata) -> Header {
    let executable = metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0;
    let mut header = Header::new_ustar();
    header.set_entry_type(if metadata.is_dir() {
        EntryType::Directory
    } else {
        EntryType::Regular
    });
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(if metadata.is_dir() { 0 } else { metadata.len() });
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Appends header and content; a path too long for the header goes before it as
/// a pax extension (POSIX.1-2001).
fn append_entry(
    tar: &mut Builder<BufWriter<File>>,
    header: &mut Header,
    path: &Path,
    content: impl io::Read,
) -> io::Result<()> {
    if header.set_path(path).is_err() {
        let path = path.as_os_str().as_bytes();
        tar.append_pax_extensions([("path", path)])?;
        let name = &mut header.as_old_mut().name;
        let shown = path.len().min(name.len());
        name[..shown].copy_from_slice(&path[..shown]);
    }
    header.set_cksum();
    tar.append(header, content)
}
