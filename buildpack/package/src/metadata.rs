//! `metadata.json`: what a package says of itself.

use crate::InvalidLabel;
use crate::go_json::{self, GoJsonError};

/// The name of the metadata in a package.
pub const METADATA_FILE: &str = "metadata.json";

/// The largest `metadata.json` that Selvedge reads, in bytes: three short texts, and room for
/// what other tools add.
pub const MAX_METADATA_BYTES: u64 = 1 << 20;

/// What a peer reads of a `metadata.json` (Fabric
/// `core/chaincode/persistence/chaincode_package.go`, `ChaincodePackageMetadata`); what is not
/// there is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMetadata {
    /// The language, as written.
    pub kind: String,
    /// Where the code to run lies; for Go the import path of the main package.
    pub path: String,
    /// The label, good or bad.
    pub label: String,
}

/// Something that is wrong with a `metadata.json`. Reads as the end of a sentence that began with
/// its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataFault {
    /// More bytes than Selvedge reads.
    #[error("is larger than {MAX_METADATA_BYTES} bytes")]
    TooLarge,
    /// Not what the peer can read.
    #[error("is not a JSON object with the texts `type`, `path` and `label`: {0}")]
    Malformed(#[from] GoJsonError),
    /// A key without which the package is useless.
    #[error("has no `{0}`")]
    Missing(&'static str),
    /// A label that the peer refuses.
    #[error(transparent)]
    Label(#[from] InvalidLabel),
}

impl RawMetadata {
    /// The keys that a peer knows.
    pub const KEYS: [&str; 3] = ["type", "path", "label"];

    /// Reads the content of a `metadata.json`.
    pub fn read(json: &[u8]) -> Result<Self, MetadataFault> {
        if json.len() as u64 > MAX_METADATA_BYTES {
            return Err(MetadataFault::TooLarge);
        }
        let [kind, path, label] = go_json::texts(json, Self::KEYS)?;
        Ok(Self { kind, path, label })
    }

    /// Whether a peer takes `key` for one of [`Self::KEYS`].
    pub fn is_key(key: &str) -> bool {
        Self::KEYS.iter().any(|name| go_json::names(key, name))
    }
}
