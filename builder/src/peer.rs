//! What the peer hands to `run`: `chaincode.json`.
//!
//! Field names and their meaning: `runConfig` in Fabric's
//! `core/container/externalbuilder/externalbuilder.go`.

use std::path::{Path, PathBuf};

use selvedge_proto::launcher::{ChaincodeSource, PeerTls, RunStart};
use serde::Deserialize;

use crate::json::{self, JsonError};
use crate::output::Built;

/// Why `chaincode.json` is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It can not be read.
    #[error(transparent)]
    Unreadable(JsonError),
    /// It is no JSON of that shape. Not the parser's words, which quote what they
    /// trip over: the file holds a key.
    #[error("{path} is malformed at line {line}, column {column}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
    },
    /// It lacks what a chaincode can not be run without.
    #[error("{path} has no {field}", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
}

/// The file. It has no `Debug`: it holds a key.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    chaincode_id: String,
    peer_address: String,
    client_cert: String,
    client_key: String,
    root_cert: String,
    mspid: String,
}

/// Reads the file from the directory that the peer made for this run, into the
/// request that asks the launcher to run the chaincode.
pub(crate) fn request(
    directory: &Path,
    built: Built,
    source: ChaincodeSource,
) -> Result<RunStart, PeerError> {
    let path = directory.join("chaincode.json");
    let config: Config = json::read(&path).map_err(secretive)?;
    let missing = [
        ("chaincode_id", &config.chaincode_id),
        ("peer_address", &config.peer_address),
        ("mspid", &config.mspid),
    ]
    .into_iter()
    .chain(config.tls_fields().filter(|_| config.has_tls()))
    .find(|(_, value)| value.is_empty());
    if let Some((field, _)) = missing {
        return Err(PeerError::Missing { path, field });
    }
    let tls = config.has_tls().then_some(PeerTls {
        client_cert: config.client_cert,
        client_key: config.client_key,
        root_cert: config.root_cert,
    });
    Ok(RunStart {
        package_id: config.chaincode_id,
        peer_address: config.peer_address,
        msp_id: config.mspid,
        tls,
        image: Some(built.image),
        source: Some(source),
        listening: built.listening,
    })
}

impl Config {
    fn tls_fields(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("client_cert", &self.client_cert),
            ("client_key", &self.client_key),
            ("root_cert", &self.root_cert),
        ]
        .into_iter()
    }

    /// Whether the peer has TLS: all three are empty otherwise.
    fn has_tls(&self) -> bool {
        self.tls_fields().any(|(_, value)| !value.is_empty())
    }
}

fn secretive(error: JsonError) -> PeerError {
    match error {
        JsonError::Malformed { path, source } => {
            PeerError::Malformed { path, line: source.line(), column: source.column() }
        }
        other => PeerError::Unreadable(other),
    }
}
