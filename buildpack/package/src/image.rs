//! `image.json`: the image that a package names instead of holding code.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::go_json::{self, GoJsonError};
use crate::port::{ServerPort, UnfitPort};

/// The name of the file, which lies at the top of the code.
pub const IMAGE_FILE: &str = "image.json";

/// The field of Selvedge's own, which fabric-builder-k8s skips as it does what it does not know.
const LISTENS: &str = "listens";

/// What is read of an `image.json` (fabric-builder-k8s `internal/util/files.go`, `ImageJSON`); what
/// is not there is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawImage {
    /// The image's name, as written.
    pub name: String,
    /// Its digest, good or bad.
    pub digest: String,
    /// How its chaincode listens, if it does.
    pub listens: Option<Listens>,
}

/// That the chaincode in an image listens for its peer: `"listens": true`, or an object that says
/// how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Listens {
    /// With the certificates that it is given, if nothing else is said.
    pub tls: bool,
    /// Where it does so whatever it is told; if nothing is said, it listens where it is told to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<ServerPort>,
}

/// Why an `image.json` cannot be read. Reads on from the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawImageError {
    /// Not what fabric-builder-k8s could read either.
    #[error("is not a JSON object with the texts `name` and `digest`: {0}")]
    Malformed(#[from] GoJsonError),
    /// It does not say whether the chaincode listens.
    #[error("has `{LISTENS}`, {0}: it is true, false, or an object such as {{\"tls\": false}}")]
    Listens(&'static str),
    /// `tls` is no yes or no.
    #[error("has `{LISTENS}.tls`, {0}: it is true or false")]
    Tls(&'static str),
    /// `port` is no number.
    #[error("has `{LISTENS}.port`, {0}: it is a number, such as 9999")]
    PortKind(&'static str),
    /// `port` is a number that no port of a chaincode has.
    #[error("has a `{LISTENS}.port` that does not do: {0}")]
    Port(#[from] UnfitPort),
    /// Something that nobody reads.
    #[error(
        "has `{LISTENS}.{}`, which is nothing that can be said there: there are `tls` and `port`",
        .0.escape_debug()
    )]
    Unknown(String),
}

impl RawImage {
    /// Reads the content of an `image.json`.
    pub fn read(json: &[u8]) -> Result<Self, RawImageError> {
        let [name, digest] = go_json::texts(json, ["name", "digest"])?;
        let [said] = go_json::values(json, [LISTENS])?;
        // As with every field: each has to be right, and the last one counts.
        let all = said.iter().map(Listens::read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name, digest, listens: all.last().copied().flatten() })
    }
}

impl Listens {
    /// What is so where nothing is said of it.
    const DEFAULT: Self = Self { tls: true, port: None };

    fn read(said: &Value) -> Result<Option<Self>, RawImageError> {
        match said {
            Value::Bool(listens) => Ok(listens.then_some(Self::DEFAULT)),
            Value::Object(fields) => Self::of(fields).map(Some),
            other => Err(RawImageError::Listens(kind(other))),
        }
    }

    fn of(fields: &Map<String, Value>) -> Result<Self, RawImageError> {
        let mut listens = Self::DEFAULT;
        for (name, value) in fields {
            if go_json::names(name, "tls") {
                listens.tls = tls(value)?.unwrap_or(listens.tls);
            } else if go_json::names(name, "port") {
                listens.port = port(value)?.or(listens.port);
            } else {
                // A typing error here would be without TLS, or not be dialled.
                return Err(RawImageError::Unknown(name.clone()));
            }
        }
        Ok(listens)
    }
}

/// Null is nothing said, as everywhere.
fn tls(value: &Value) -> Result<Option<bool>, RawImageError> {
    match value {
        Value::Bool(tls) => Ok(Some(*tls)),
        Value::Null => Ok(None),
        other => Err(RawImageError::Tls(kind(other))),
    }
}

fn port(value: &Value) -> Result<Option<ServerPort>, RawImageError> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => {
            let number = number.as_u64().ok_or(RawImageError::PortKind("no whole number"))?;
            Ok(Some(ServerPort::new(number)?))
        }
        other => Err(RawImageError::PortKind(kind(other))),
    }
}

/// What a value is that should be another.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(listens: &str) -> Result<Option<Listens>, String> {
        let json = format!(r#"{{"name":"a","digest":"b"{listens}}}"#);
        let read = RawImage::read(json.as_bytes());
        read.map(|image| image.listens).map_err(|error| error.to_string())
    }

    #[test]
    fn who_listens_and_how() {
        let [with, without] = [true, false].map(|tls| Some(Listens { tls, port: None }));
        let port = |tls, port| Some(Listens { tls, port: ServerPort::new(port).ok() });
        for (said, expected) in [
            ("", None),
            (r#","listens":null"#, None),
            (r#","listens":false"#, None),
            (r#","listens":true"#, with),
            (r#","Listens":true"#, with),
            (r#","listens":true,"LISTENS":false"#, None),
            (r#","listens":{}"#, with),
            (r#","listens":{"tls":true}"#, with),
            (r#","listens":{"TLS":null}"#, with),
            (r#","listens":{"tls":false}"#, without),
            (r#","listens":{"tls":false},"listens":null"#, without),
            (r#","listens":{"port":null}"#, with),
            (r#","listens":{"Port":9999}"#, port(true, 9999)),
            (r#","listens":{"port":1024,"tls":false}"#, port(false, 1024)),
            (r#","listens":{"port":65535,"tls":true}"#, port(true, 65535)),
        ] {
            assert_eq!(read(said), Ok(expected), "{said}");
        }
    }

    #[test]
    fn what_does_not_say_so() {
        for (said, reason) in [
            (r#","listens":"true""#, "has `listens`, a text: it is true, false, or an object"),
            (r#","listens":9999"#, "has `listens`, a number"),
            (r#","listens":[true]"#, "has `listens`, a list"),
            (r#","listens":1,"listens":true"#, "has `listens`, a number"),
            (r#","listens":{"tls":"no"}"#, "has `listens.tls`, a text: it is true or false"),
            (r#","listens":{"tls":[]}"#, "has `listens.tls`, a list"),
            (r#","listens":{"port":"9999"}"#, "has `listens.port`, a text: it is a number"),
            (r#","listens":{"port":9999.5}"#, "has `listens.port`, no whole number"),
            (r#","listens":{"port":-1}"#, "has `listens.port`, no whole number"),
            (r#","listens":{"port":0}"#, "has a `listens.port` that does not do: 0 is no port"),
            (
                r#","listens":{"port":1023}"#,
                "1023 is no port of a chaincode's: it is a number from",
            ),
            (r#","listens":{"port":65536}"#, "65536 is no port of a chaincode's"),
            (r#","listens":{"tsl":false}"#, "has `listens.tsl`, which is nothing"),
            (r#","listens":{"a\nb":1}"#, r"has `listens.a\nb`, which is nothing"),
        ] {
            let error = read(said).unwrap_err();
            assert!(error.contains(reason), "{said}: {error}");
        }
    }
}
