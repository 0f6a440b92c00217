//! `metadata.json`: what a package says of itself.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{InvalidLabel, Label};

/// The largest `metadata.json`, in bytes: three short texts, and room for keys of other tools.
pub(super) const MAX_METADATA_BYTES: u64 = 64 << 10;

/// The checked content of `metadata.json`. Keys of other tools survive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Where the code to run lies; for Go the import path of the main package.
    pub path: String,
    /// The language.
    #[serde(rename = "type")]
    pub kind: ChaincodeType,
    /// The label.
    pub label: Label,
    /// All other keys.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The language or kind of a chaincode. Case does not matter to a peer (Fabric
/// `core/container/dockercontroller/dockercontroller.go`); it is shown in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChaincodeType {
    /// Go.
    Golang,
    /// JavaScript and TypeScript.
    Node,
    /// Java, Kotlin and other languages of its machine.
    Java,
    /// Any other, in lower case.
    Other(String),
}

/// Something that is wrong with a `metadata.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataFault {
    /// No JSON object with texts for the known keys.
    #[error("is not a JSON object with the texts `type`, `path` and `label`: {0}")]
    Malformed(String),
    /// A key without which the package is useless.
    #[error("has no `{0}`")]
    Missing(&'static str),
    /// A label that the peer refuses.
    #[error(transparent)]
    Label(#[from] InvalidLabel),
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    path: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Metadata {
    /// Parses a `metadata.json`; the first fault ends it.
    pub fn parse(json: &[u8]) -> Result<Self, MetadataFault> {
        match Self::examine(json) {
            (Some(metadata), _) => Ok(metadata),
            (None, faults) => Err(faults
                .into_iter()
                .next()
                .unwrap_or_else(|| MetadataFault::Malformed(String::new()))),
        }
    }

    /// Parses a `metadata.json` and tells everything that is wrong with it.
    pub fn examine(json: &[u8]) -> (Option<Self>, Vec<MetadataFault>) {
        let raw: Raw = match serde_json::from_slice(json) {
            Ok(raw) => raw,
            Err(error) => return (None, vec![MetadataFault::Malformed(error.to_string())]),
        };
        let mut faults = Vec::new();
        let kind = raw.kind.filter(|kind| !kind.is_empty());
        if kind.is_none() {
            faults.push(MetadataFault::Missing("type"));
        }
        let label = match raw.label.as_deref().map(str::parse::<Label>) {
            None => {
                faults.push(MetadataFault::Missing("label"));
                None
            }
            Some(Err(invalid)) => {
                faults.push(invalid.into());
                None
            }
            Some(Ok(label)) => Some(label),
        };
        let metadata = kind.zip(label).map(|(kind, label)| Self {
            path: raw.path.unwrap_or_default(),
            kind: ChaincodeType::named(&kind),
            label,
            extra: raw.extra,
        });
        (metadata, faults)
    }

    /// The metadata as JSON; the same bytes for the same metadata.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

impl ChaincodeType {
    /// The type of that name, in any case.
    pub fn named(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "golang" => Self::Golang,
            "node" => Self::Node,
            "java" => Self::Java,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name in lower case.
    pub fn name(&self) -> &str {
        match self {
            Self::Golang => "golang",
            Self::Node => "node",
            Self::Java => "java",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for ChaincodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name().escape_debug())
    }
}

impl Serialize for ChaincodeType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_keys_survive() {
        let json = br#"{"path":"x","type":"golang","label":"a","owner":{"team":1}}"#;
        let metadata = Metadata::parse(json).unwrap();
        assert_eq!(metadata.to_json().unwrap(), json);
    }

    #[test]
    fn type_in_any_case() {
        let metadata = Metadata::parse(br#"{"type":"GOLANG","label":"a"}"#).unwrap();
        assert_eq!((metadata.kind, metadata.path.as_str()), (ChaincodeType::Golang, ""));
    }

    #[test]
    fn every_fault_is_told() {
        let (_, faults) = Metadata::examine(br#"{"label":"a b"}"#);
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[0], "has no `type`");
        assert!(faults[1].starts_with("invalid label `a b`"), "{}", faults[1]);
    }

    #[test]
    fn malformed_says_where() {
        for json in ["", "[]", "{", r#"{"type":1}"#, r#"{"label":"a","label":"b"}"#] {
            let fault = Metadata::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(fault.starts_with("is not a JSON object"), "{json}: {fault}");
        }
    }
}
