//! Descriptors and JSON blobs, in the types of `oci-spec` and with the bytes always the same.

use std::collections::BTreeMap;

use oci_spec::image::{Descriptor, Digest, MediaType};
use serde::Serialize;
use serde_json::Value;

use crate::digest::Sha256;

/// The digest in a descriptor; none if it is of another algorithm than SHA-256, which Selvedge
/// never writes.
pub fn sha256(descriptor: &Descriptor) -> Option<Sha256> {
    Sha256::from_hex(descriptor.as_digest_sha256()?).ok()
}

pub(super) fn describe(kind: MediaType, digest: Sha256, size: u64) -> oci_spec::Result<Descriptor> {
    let digest = Digest::try_from(digest.to_string())?;
    Ok(Descriptor::new(kind, size, digest))
}

/// JSON with all keys sorted. `oci-spec` keeps labels in hash maps, whose order changes from run
/// to run, and `serde_json` sorts only when no crate in the program asks it not to.
pub(crate) fn canonical_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Sorted::from(serde_json::to_value(value)?))
}

#[derive(Serialize)]
#[serde(untagged)]
enum Sorted {
    Object(BTreeMap<String, Sorted>),
    Array(Vec<Sorted>),
    Scalar(Value),
}

impl From<Value> for Sorted {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(object) => {
                let sorted = object.into_iter().map(|(key, value)| (key, value.into()));
                Self::Object(sorted.collect())
            }
            Value::Array(array) => Self::Array(array.into_iter().map(Self::from).collect()),
            scalar => Self::Scalar(scalar),
        }
    }
}

/// Whether what an index lists is no image, but told of one.
pub(super) fn is_referrer(listed: &Descriptor) -> bool {
    listed.artifact_type().is_some()
}
