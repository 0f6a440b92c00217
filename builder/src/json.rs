//! The JSON files that the peer and the executables hand each other.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// What may be wrong with a JSON file.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not there, or can not be read.
    #[error("cannot read {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no JSON, or lacks what it must hold.
    #[error("{path} is malformed", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It can not be written.
    #[error("cannot write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, JsonError> {
    let text = fs::read(path).map_err(|source| JsonError::Read { path: path.into(), source })?;
    serde_json::from_slice(&text)
        .map_err(|source| JsonError::Malformed { path: path.into(), source })
}

/// Writes a file, on one line.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<(), JsonError> {
    write_to(path, value, File::create(path))
}

/// Writes a file that nobody but its owner reads, on one line.
pub(crate) fn write_secret(path: &Path, value: &impl Serialize) -> Result<(), JsonError> {
    write_to(path, value, OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))
}

fn write_to(path: &Path, value: &impl Serialize, file: io::Result<File>) -> Result<(), JsonError> {
    serde_json::to_vec(value)
        .map_err(io::Error::from)
        .and_then(|mut text| {
            text.push(b'\n');
            file?.write_all(&text)
        })
        .map_err(|source| JsonError::Write { path: path.into(), source })
}
