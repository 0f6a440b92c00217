//! `release OUT REL`: gives the peer the chaincode's `CouchDB` indexes.
//!
//! What is in REL reaches the ledger under META-INF
//! (`core/container/externalbuilder/metadataprovider.go`), so the indexes go to
//! `REL/statedb/couchdb`, those of collections included, and nothing else goes.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Map, Value};

use crate::{
    json::{self, JsonError},
    lines,
    output::Output,
    usage,
};

/// Why the indexes can not be released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A directory or file can not be read or written.
    #[error("cannot use {path}", path = .path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An index that `CouchDB` could not take.
    #[error("an index must be a JSON object")]
    Index(#[from] JsonError),
}

/// Releases the indexes: exit code 0, or 1 with the reason as the last line.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let [out, release] = match usage::directories(arguments, "release OUT REL") {
        Ok(directories) => directories,
        Err(misuse) => return misuse,
    };
    match indexes(&out).and_then(|(root, indexes)| place(&root, &indexes, &release)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            lines::write(&lines::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Finds all indexes that the build left, each checked, and the directory that
/// they are in.
fn indexes(out: &Path) -> Result<(PathBuf, Vec<PathBuf>), ReleaseError> {
    list(out)?;
    let root = Output::of_build(out.into()).meta_inf();
    let database = root.join("statedb/couchdb");
    let mut indexes = files(&database.join("indexes"))?;
    for collection in list_if_there(&database.join("collections"))? {
        indexes.extend(files(&collection.join("indexes"))?);
    }
    for index in &indexes {
        let _object: Map<String, Value> = json::read(index)?;
    }
    Ok((root, indexes))
}

/// Copies the indexes to where they are in META-INF.
fn place(root: &Path, indexes: &[PathBuf], release: &Path) -> Result<(), ReleaseError> {
    for index in indexes {
        let destination = release.join(index.strip_prefix(root).unwrap_or(index));
        let directory = destination.parent().unwrap_or(release);
        fs::create_dir_all(directory).map_err(failed(directory))?;
        fs::copy(index, &destination).map_err(failed(&destination))?;
    }
    Ok(())
}

/// The JSON files in a directory, if it is there. What else is there is no index,
/// and a line says so: someone meant something by it.
fn files(directory: &Path) -> Result<Vec<PathBuf>, ReleaseError> {
    let (indexes, others): (Vec<_>, Vec<_>) = list_if_there(directory)?
        .into_iter()
        .partition(|path| path.extension() == Some(OsStr::new("json")));
    for other in others {
        lines::write(&format!(
            "{} is left out: the name of an index ends in .json",
            other.display()
        ));
    }
    Ok(indexes)
}

fn list_if_there(directory: &Path) -> Result<Vec<PathBuf>, ReleaseError> {
    if directory.is_dir() { list(directory) } else { Ok(Vec::new()) }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, ReleaseError> {
    let mut paths = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        .map_err(failed(directory))?;
    paths.sort();
    Ok(paths)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ReleaseError {
    let path = path.to_path_buf();
    |source| ReleaseError::Io { path, source }
}
