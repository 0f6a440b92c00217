//! What a chaincode package says of its code: `metadata.json`.

use std::path::Path;

use selvedge_proto::launcher::ChaincodeSource;
use serde::{Deserialize, Serialize};

use crate::json::{self, JsonError};

/// The languages that Selvedge builds, by the package's name for them.
const LANGUAGES: [&str; 1] = ["golang"];

/// The package's `metadata.json`; what else it holds is nothing to us.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Metadata {
    #[serde(rename = "type")]
    language: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    label: String,
}

impl Metadata {
    /// Reads the file from the directory that the peer made for it.
    pub(crate) fn read(directory: &Path) -> Result<Self, JsonError> {
        json::read(&directory.join("metadata.json"))
    }

    /// Whether Selvedge builds it.
    pub(crate) fn is_ours(&self) -> bool {
        LANGUAGES.contains(&self.language.as_str())
    }

    /// As the launcher wants it.
    pub(crate) fn to_source(&self) -> ChaincodeSource {
        ChaincodeSource {
            r#type: self.language.clone(),
            path: self.path.clone(),
            label: self.label.clone(),
        }
    }
}
