//! `image.json`: the image that a package names instead of holding code.

use crate::go_json::{self, GoJsonError};

/// The name of the file, which lies at the top of the code.
pub const IMAGE_FILE: &str = "image.json";

/// What is read of an `image.json` (fabric-builder-k8s `internal/util/files.go`, `ImageJSON`); what
/// is not there is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawImage {
    /// The image's name, as written.
    pub name: String,
    /// Its digest, good or bad.
    pub digest: String,
}

impl RawImage {
    /// Reads the content of an `image.json`.
    pub fn read(json: &[u8]) -> Result<Self, GoJsonError> {
        let [name, digest] = go_json::texts(json, ["name", "digest"])?;
        Ok(Self { name, digest })
    }
}
