//! `META-INF`: which files in it become `CouchDB` indexes, to a peer and to Fabric's packagers.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};

use crate::go_json::{self, is_object};

/// The directory of metadata at the top of the code.
pub const META_INF: &str = "META-INF";

/// The largest index definition that is packaged, in bytes: a few field names.
pub const MAX_INDEX_BYTES: u64 = 1 << 20;

/// What a file of `META-INF` is to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaInfFile<'a> {
    /// An index of the chaincode's public state, or of a collection.
    Index {
        /// The private data collection; none means the public state.
        collection: Option<&'a str>,
    },
    /// Nothing that becomes an index.
    Useless(Uselessness),
}

/// Why a file of `META-INF` becomes no index. Nothing that a package is refused for: a peer goes
/// on without such an index, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Uselessness {
    /// Fabric's packagers leave hidden files out, since people do not know that they are there
    /// (`core/chaincode/platforms/util/writer.go`, `golang/platform.go`).
    #[error("it is hidden")]
    Hidden,
    /// Nothing that a peer looks at.
    #[error("a peer looks for no index there")]
    Place,
    /// More bytes than an index needs.
    #[error("it is larger than an index can be ({MAX_INDEX_BYTES} bytes)")]
    Oversize,
    /// `CouchDB` takes nothing else; what more it wants of an index, it says to the peer
    /// (`core/ledger/kvledger/txmgmt/statedb/statecouchdb/statecouchdb.go`).
    #[error("it is not a JSON object")]
    NotJson,
}

impl<'a> MetaInfFile<'a> {
    /// What the file with the content of `file` is, whose path in the code is `path` and begins
    /// with `META-INF/`.
    pub fn read(path: &'a str, file: &Path) -> io::Result<Self> {
        let place = Self::at(path);
        let Self::Index { .. } = place else { return Ok(place) };
        let mut content = Vec::new();
        File::open(file)?.take(MAX_INDEX_BYTES + 1).read_to_end(&mut content)?;
        Ok(if content.len() as u64 > MAX_INDEX_BYTES {
            Self::Useless(Uselessness::Oversize)
        } else if is_object(&content) {
            place
        } else {
            Self::Useless(Uselessness::NotJson)
        })
    }

    /// What a file in that place may be. A peer makes indexes of all that lies below the two
    /// directories for them, at any depth (Fabric
    /// `core/ledger/kvledger/txmgmt/privacyenabledstate/db.go`, `getIndexInfo`).
    fn at(path: &'a str) -> Self {
        let parts: Vec<&str> = path.split('/').collect();
        if parts.last().is_some_and(|name| name.starts_with('.')) {
            return Self::Useless(Uselessness::Hidden);
        }
        match parts[..] {
            // The database's name is compared as far as it goes
            // (`core/common/ccprovider/cc_statedb_artifacts_provider.go`, `ExtractFileEntries`).
            [META_INF, "statedb", database, ref below @ ..] if database.starts_with("couchdb") => {
                match below {
                    ["indexes", _, ..] => Self::Index { collection: None },
                    ["collections", name, "indexes", _, ..] => {
                        Self::Index { collection: Some(name) }
                    }
                    _ => Self::Useless(Uselessness::Place),
                }
            }
            _ => Self::Useless(Uselessness::Place),
        }
    }
}

/// Why Fabric's packagers refuse a file in `META-INF`.
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

/// Checks a file, whose path begins with `META-INF/`, as Fabric's packagers do
/// (`internal/ccmetadata/validators.go`).
pub fn check_index(path: &str, content: &[u8]) -> Result<(), IndexFault> {
    if !is_place_of_indexes(path) {
        return Err(IndexFault::Misplaced);
    }
    if content.len() as u64 > MAX_INDEX_BYTES {
        return Err(IndexFault::Oversize);
    }
    let definition = go_json::object(content).ok_or(IndexFault::NotJson)?;
    check_definition(&definition).map_err(IndexFault::Malformed)
}

fn is_place_of_indexes(path: &str) -> bool {
    let Some(below) = path.strip_prefix("META-INF/statedb/couchdb/") else {
        return false;
    };
    let place = match below.strip_prefix("collections/") {
        Some(rest) => rest.split_once("/indexes/").map(|(name, file)| (Some(name), file)),
        None => below.strip_prefix("indexes/").map(|file| (None, file)),
    };
    let Some((name, file)) = place else {
        return false;
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let named = name.is_none_or(|name| !name.is_empty() && name.bytes().all(allowed));
    named && file.contains(".json")
}

fn check_definition(definition: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in definition {
        match (key.as_str(), value) {
            ("index", Value::Object(index)) => check_fields(index)?,
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

fn check_fields(index: &Map<String, Value>) -> Result<(), String> {
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

    fn check(path: &str, content: &str) -> Result<(), IndexFault> {
        check_index(path, content.as_bytes())
    }

    #[test]
    fn what_a_peer_makes_indexes_of() {
        let index = |collection| MetaInfFile::Index { collection };
        for (path, file) in [
            ("META-INF/statedb/couchdb/indexes/owner.json", index(None)),
            ("META-INF/statedb/couchdb/indexes/owner.txt", index(None)),
            ("META-INF/statedb/couchdb/indexes/deeper/owner.json", index(None)),
            ("META-INF/statedb/couchdb/indexes/.hidden/owner.json", index(None)),
            ("META-INF/statedb/couchdb/collections/a/indexes/owner.json", index(Some("a"))),
            (
                "META-INF/statedb/couchdb/indexes/._owner.json",
                MetaInfFile::Useless(Uselessness::Hidden),
            ),
            ("META-INF/.hidden", MetaInfFile::Useless(Uselessness::Hidden)),
            ("META-INF/statedb/couchdb/indexes", MetaInfFile::Useless(Uselessness::Place)),
            ("META-INF/statedb/couchdb/owner.json", MetaInfFile::Useless(Uselessness::Place)),
            (
                "META-INF/statedb/leveldb/indexes/owner.json",
                MetaInfFile::Useless(Uselessness::Place),
            ),
            (
                "META-INF/statedb/couchdb/collections/a/owner.json",
                MetaInfFile::Useless(Uselessness::Place),
            ),
            ("META-INF/owner.json", MetaInfFile::Useless(Uselessness::Place)),
        ] {
            assert_eq!(MetaInfFile::at(path), file, "{path}");
        }
    }

    #[test]
    fn places() {
        let good =
            r#"{"index":{"fields":["owner",{"size":"desc"}]},"ddoc":"d","name":"n","type":"json"}"#;
        check("META-INF/statedb/couchdb/indexes/owner.json", good).unwrap();
        check("META-INF/statedb/couchdb/collections/secret_1/indexes/owner.json", good).unwrap();
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
