//! What a chaincode package says of its code: `metadata.json`.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use selvedge_package::{
    ChaincodeType, Handling, MAX_METADATA_BYTES, METADATA_FILE, MetadataFault, RawMetadata,
};
use selvedge_proto::launcher::ChaincodeSource;

/// What a program of the peer's own machine is called among the code.
pub(crate) const PROGRAM: &str = "chaincode";

/// What may be wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is not there, or can not be read.
    #[error("cannot read {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what a peer takes for metadata.
    #[error("{path} {fault}", path = .path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: MetadataFault,
    },
}

/// The package's `metadata.json`; what else it holds is nothing to us.
#[derive(Debug)]
pub(crate) struct Metadata {
    kind: ChaincodeType,
    path: String,
    label: String,
}

impl Metadata {
    /// Reads the file from the directory that the peer made for it.
    pub(crate) fn read(directory: &Path) -> Result<Self, MetadataError> {
        let path = directory.join(METADATA_FILE);
        let mut json = Vec::new();
        let read = File::open(&path)
            // A byte more than there may be shows that it is too large.
            .and_then(|file| file.take(MAX_METADATA_BYTES + 1).read_to_end(&mut json));
        if let Err(source) = read {
            return Err(MetadataError::Read { path, source });
        }
        match RawMetadata::read(&json) {
            Ok(RawMetadata { kind, path, label }) => {
                Ok(Self { kind: ChaincodeType::named(&kind), path, label })
            }
            Err(fault) => Err(MetadataError::Fault { path, fault }),
        }
    }

    /// What becomes of the chaincode.
    pub(crate) fn handling(&self) -> Handling {
        self.kind.handling()
    }

    /// The file of the peer's own machine that is the chaincode's program, if it is none of the
    /// package's.
    pub(crate) fn host_program(&self) -> Option<&Path> {
        let path = Path::new(&self.path);
        (self.kind == ChaincodeType::Binary && path.is_absolute()).then_some(path)
    }

    /// As the launcher wants it.
    pub(crate) fn into_source(self) -> ChaincodeSource {
        let path = match self.host_program() {
            Some(_) => PROGRAM.into(),
            None => self.path,
        };
        ChaincodeSource { r#type: self.kind.name().into(), path, label: self.label }
    }
}
