//! `META-INF`: which files in it are `CouchDB` indexes, and which a peer has no use for.
//!
//! The rules are those of Fabric's packager (`internal/ccmetadata/validators.go`).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::archive::EntryPath;

/// The directory of metadata at the top of the code.
pub(super) const META_INF: &str = "META-INF/";

/// The largest index definition, in bytes: a few field names.
pub(super) const MAX_INDEX_BYTES: u64 = 1 << 20;

const COUCHDB: &str = "META-INF/statedb/couchdb/";

/// A `CouchDB` index that comes with a chaincode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Index {
    /// The file.
    pub path: EntryPath,
    /// The private data collection it is for; none means the chaincode's public state.
    pub collection: Option<String>,
}

/// Why a file in `META-INF` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexFault {
    /// Neither of the two places for indexes.
    #[error(
        "is not of use to a peer: META-INF holds statedb/couchdb/indexes/*.json and \
         statedb/couchdb/collections/<name>/indexes/*.json only"
    )]
    Misplaced,
    /// More bytes than an index needs.
    #[error("is larger than an index definition can be ({MAX_INDEX_BYTES} bytes)")]
    Oversize,
    /// Not JSON, or not an object.
    #[error("is not a JSON object")]
    NotJson,
    /// JSON, but no index.
    #[error("is not an index definition: {0}")]
    Malformed(String),
}

impl Index {
    /// Checks a file below `META-INF`.
    pub fn check(path: &EntryPath, content: &[u8]) -> Result<Self, IndexFault> {
        let collection = collection(path.as_str())?;
        let definition = serde_json::from_slice(content).map_err(|_| IndexFault::NotJson)?;
        check_definition(&definition).map_err(IndexFault::Malformed)?;
        Ok(Self { path: path.clone(), collection: collection.map(str::to_owned) })
    }
}

/// The collection that an index in that place is for, if it is for one.
fn collection(path: &str) -> Result<Option<&str>, IndexFault> {
    let below = path.strip_prefix(COUCHDB).ok_or(IndexFault::Misplaced)?;
    let place = match below.strip_prefix("collections/") {
        Some(rest) => rest.split_once("/indexes/").map(|(name, file)| (Some(name), file)),
        None => below.strip_prefix("indexes/").map(|file| (None, file)),
    };
    let (name, file) = place.ok_or(IndexFault::Misplaced)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let named = name.is_none_or(|name| !name.is_empty() && name.bytes().all(allowed));
    if named && file.contains(".json") { Ok(name) } else { Err(IndexFault::Misplaced) }
}

fn check_definition(definition: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in definition {
        match (key.as_str(), value) {
            ("index", Value::Object(index)) => check_index(index)?,
            ("index", _) => return Err("`index` must be an object".to_owned()),
            ("ddoc" | "name", Value::String(_)) => {}
            ("ddoc" | "name", _) => return Err(format!("`{key}` must be a text")),
            ("type", Value::String(kind)) if kind == "json" => {}
            ("type", _) => return Err("`type` must be `json`".to_owned()),
            _ => return Err(format!("unknown key `{}`", key.escape_debug())),
        }
    }
    if definition.contains_key("index") {
        Ok(())
    } else {
        Err("`index` with its `fields` is missing".to_owned())
    }
}

fn check_index(index: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in index {
        match (key.as_str(), value) {
            ("fields", Value::Array(fields)) => fields.iter().try_for_each(check_field)?,
            ("fields", _) => return Err("`fields` must be an array".to_owned()),
            ("partial_filter_selector", _) => {}
            _ => return Err(format!("unknown key `{}` in `index`", key.escape_debug())),
        }
    }
    Ok(())
}

fn check_field(field: &Value) -> Result<(), String> {
    let Value::Object(orders) = field else {
        return Ok(());
    };
    let is_order = |order: &Value| {
        let order = order.as_str().map(str::to_lowercase);
        matches!(order.as_deref(), Some("asc" | "desc"))
    };
    match orders.iter().find(|(_, order)| !is_order(order)) {
        None => Ok(()),
        Some((name, order)) => Err(format!(
            "field `{}` must be sorted `asc` or `desc`, not {}",
            name.escape_debug(),
            order
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, content: &str) -> Result<Index, IndexFault> {
        Index::check(&EntryPath::parse(path.as_bytes()).unwrap(), content.as_bytes())
    }

    #[test]
    fn places() {
        let good =
            r#"{"index":{"fields":["owner",{"size":"desc"}]},"ddoc":"d","name":"n","type":"json"}"#;
        let public = check("META-INF/statedb/couchdb/indexes/owner.json", good).unwrap();
        assert_eq!(public.collection, None);
        let private = "META-INF/statedb/couchdb/collections/secret_1/indexes/owner.json";
        assert_eq!(check(private, good).unwrap().collection.as_deref(), Some("secret_1"));
        for misplaced in [
            "META-INF/owner.json",
            "META-INF/statedb/leveldb/indexes/owner.json",
            "META-INF/statedb/couchdb/owner.json",
            "META-INF/statedb/couchdb/indexes/owner.txt",
            "META-INF/statedb/couchdb/collections/a b/indexes/owner.json",
            "META-INF/statedb/couchdb/collections/secret/owner.json",
        ] {
            assert_eq!(check(misplaced, good).unwrap_err(), IndexFault::Misplaced, "{misplaced}");
        }
    }

    #[test]
    fn definitions() {
        for (content, fault) in [
            ("", "is not a JSON object"),
            ("[]", "is not a JSON object"),
            ("{}", "is not an index definition: `index` with its `fields` is missing"),
            (r#"{"index":1}"#, "is not an index definition: `index` must be an object"),
            (r#"{"index":{"fields":1}}"#, "is not an index definition: `fields` must be an array"),
            (r#"{"index":{},"ddoc":1}"#, "is not an index definition: `ddoc` must be a text"),
            (r#"{"index":{},"type":"text"}"#, "is not an index definition: `type` must be `json`"),
            (r#"{"index":{},"x":1}"#, "is not an index definition: unknown key `x`"),
            (
                r#"{"index":{"fields":[{"a":"up"}]}}"#,
                "is not an index definition: field `a` must be sorted `asc` or `desc`, not \"up\"",
            ),
        ] {
            let told = check("META-INF/statedb/couchdb/indexes/a.json", content);
            assert_eq!(told.unwrap_err().to_string(), fault);
        }
    }
}
