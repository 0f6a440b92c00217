//! `metadata.json` of a package that is written or inspected.

use selvedge_package::{ChaincodeType, Label, MetadataFault, RawMetadata};
use serde::Serialize;
use serde_json::{Map, Value};

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

impl Metadata {
    /// Checks what a peer read, and tells everything that is wrong with it. `json` is where it was
    /// read from.
    pub(super) fn check(raw: &RawMetadata, json: &[u8]) -> (Option<Self>, Vec<MetadataFault>) {
        let mut faults = Vec::new();
        if raw.kind.is_empty() {
            faults.push(MetadataFault::Missing("type"));
        }
        let label = match raw.label.parse::<Label>() {
            Ok(label) => Some(label),
            Err(_) if raw.label.is_empty() => {
                faults.push(MetadataFault::Missing("label"));
                None
            }
            Err(invalid) => {
                faults.push(invalid.into());
                None
            }
        };
        let metadata = label.filter(|_| !raw.kind.is_empty()).map(|label| Self {
            path: raw.path.clone(),
            kind: ChaincodeType::named(&raw.kind),
            label,
            extra: others(json),
        });
        (metadata, faults)
    }

    /// The metadata as JSON; the same bytes for the same metadata.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// What no peer reads. A text that only a peer's reader is lenient enough for has none.
fn others(json: &[u8]) -> Map<String, Value> {
    let all: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    all.into_iter().filter(|(key, _)| !RawMetadata::is_key(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> (Option<Metadata>, Vec<String>) {
        let json = json.as_bytes();
        let (metadata, faults) = Metadata::check(&RawMetadata::read(json).unwrap(), json);
        (metadata, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn other_keys_survive() {
        let json = r#"{"path":"x","type":"golang","label":"a","owner":{"team":1}}"#;
        assert_eq!(check(json).0.unwrap().to_json().unwrap(), json.as_bytes());
        let (capital, _) = check(r#"{"Path":"x","TYPE":"GOLANG","Label":"a"}"#);
        let json = br#"{"path":"x","type":"golang","label":"a"}"#;
        assert_eq!(capital.unwrap().to_json().unwrap(), json);
    }

    #[test]
    fn every_fault_is_told() {
        let (metadata, faults) = check(r#"{"label":"a b"}"#);
        assert_eq!((metadata, faults.len()), (None, 2));
        assert_eq!(faults[0], "has no `type`");
        assert!(faults[1].starts_with("invalid label `a b`"), "{}", faults[1]);
        assert_eq!(check("{}").1, ["has no `type`", "has no `label`"]);
    }
}
