//! Why a directory cannot be packaged.

use std::io;
use std::path::{Path, PathBuf};

use selvedge_package::{
    CONNECTION_FILE, ConnectionError, ConnectionFaults, IMAGE_FILE, IndexFault, NotExecutable,
};

use crate::archive::{ArchiveError, EntryFault};
use crate::golang::GoChaincodeError;
use crate::java::JavaError;
use crate::named_image::{ImageFault, NamedImageError};
use crate::node::NodeError;

/// Why a directory cannot be packaged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// It has no `package.json`, which would make it Node's, nothing of Java's, is no Go chaincode
    /// either, and does not say where one is.
    #[error("no chaincode that Selvedge knows how to package")]
    Language(#[from] GoChaincodeError),
    /// It is no Node chaincode.
    #[error("no Node chaincode that Selvedge knows how to package")]
    Node(#[from] NodeError),
    /// It is no Java chaincode.
    #[error("no Java chaincode that Selvedge knows how to package")]
    Java(#[from] JavaError),
    /// It is no program.
    #[error("{path} {fault}")]
    Program {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: NotExecutable,
    },
    /// It is a program for machines that no chaincode runs on.
    #[error("{path} is a program for linux/{found}: chaincode runs on linux/amd64 or linux/arm64")]
    Platform {
        /// Which.
        path: PathBuf,
        /// What it was compiled for.
        found: String,
    },
    /// There is more than one program.
    #[error("{directory} holds more than one program ({names}): name the one to package")]
    Programs {
        /// The directory.
        directory: PathBuf,
        /// Their names.
        names: String,
    },
    /// Something could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file that no package may hold.
    #[error("{path} {fault}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: EntryFault,
    },
    /// A symbolic link that cannot be stored as the file it means.
    #[error(
        "{path} is a symbolic link to {target}; a package can only hold what a link means if that \
         is a regular file in the same module"
    )]
    Symlink {
        /// The link.
        path: PathBuf,
        /// Its target, as written.
        target: PathBuf,
    },
    /// A file in `META-INF` that a peer would not use.
    #[error("{path} {fault}")]
    MetaInf {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: IndexFault,
    },
    /// A `connection.json` by which no peer could dial.
    #[error("{path}: {faults}")]
    Connection {
        /// Which.
        path: PathBuf,
        /// Why.
        faults: ConnectionFaults,
    },
    /// A `connection.json` that cannot be read.
    #[error(transparent)]
    Server(#[from] ConnectionError),
    /// An `image.json` that names no image.
    #[error("{path} {fault}")]
    Image {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: ImageFault,
    },
    /// An `image.json` that cannot be read.
    #[error(transparent)]
    Named(#[from] NamedImageError),
    /// It is said twice where the chaincode is.
    #[error(
        "{directory} has {IMAGE_FILE}, which names an image, and {CONNECTION_FILE}, which names a \
         server: a package is for one of them"
    )]
    Both {
        /// The directory.
        directory: PathBuf,
    },
    /// Too much in the directory.
    #[error("{root} is too large for a package")]
    Oversize {
        /// The module's directory.
        root: PathBuf,
        /// Which limit.
        #[source]
        source: ArchiveError,
    },
}

pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> DraftError {
    let path = path.to_owned();
    |source| DraftError::Read { path, source }
}
