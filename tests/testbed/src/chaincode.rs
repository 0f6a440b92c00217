//! Chaincode in the lifecycle's words: what is defined, what is installed, how it is called.

use std::path::PathBuf;

use serde::Deserialize;

/// A chaincode definition, as organisations approve and commit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name that clients call it by.
    pub name: String,
    /// Any text.
    pub version: String,
    /// 1 for the first definition of the name, then one more each time.
    pub sequence: u32,
    /// Whether the first invocation must be an init ([`CallOptions::is_init`]).
    pub init_required: bool,
    /// The endorsement policy (`OR('Org1MSP.peer')`); the channel's default if none.
    pub signature_policy: Option<String>,
    /// A file with private data collections.
    pub collections_config: Option<PathBuf>,
}

impl Definition {
    /// The first definition of `name`, with nothing special.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            sequence: 1,
            init_required: false,
            signature_policy: None,
            collections_config: None,
        }
    }

    /// The CLI's flags that approval and commit must both have, and alike.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec![
            "--name".to_owned(),
            self.name.clone(),
            "--version".to_owned(),
            self.version.clone(),
            "--sequence".to_owned(),
            self.sequence.to_string(),
        ];
        if self.init_required {
            flags.push("--init-required".to_owned());
        }
        if let Some(policy) = &self.signature_policy {
            flags.extend(["--signature-policy".to_owned(), policy.clone()]);
        }
        if let Some(file) = &self.collections_config {
            flags.extend(["--collections-config".to_owned(), file.to_string_lossy().into_owned()]);
        }
        flags
    }
}

/// How an invocation is made, beyond what is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// The init of a chaincode whose definition requires one.
    pub is_init: bool,
    /// A JSON object of base64 values that stay off the ledger.
    pub transient: Option<String>,
    /// MSP IDs of the organisations whose peers endorse; all of the network if none are named.
    pub endorsers: Vec<String>,
}

/// A package that a peer has installed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct InstalledChaincode {
    /// `label:sha256hex`.
    pub package_id: String,
    /// The label alone.
    pub label: String,
}

/// The package ID in what `peer lifecycle chaincode install` logs
/// (`internal/peer/lifecycle/chaincode/install.go`).
pub(crate) fn package_id(stderr: &str) -> Option<String> {
    let (_, rest) = stderr.split_once("Chaincode code package identifier: ")?;
    rest.lines().next().map(|id| id.trim().to_owned())
}

/// The payload in what `peer chaincode invoke` logs (`internal/peer/chaincode/common.go`): the
/// response in protobuf's text format, whose spaces vary from build to build on purpose.
pub(crate) fn invoke_payload(stderr: &str) -> Option<String> {
    let (_, rest) = stderr.split_once("Chaincode invoke successful. result:")?;
    let line = rest.lines().next()?;
    let Some((_, quoted)) = line.split_once("payload:\"") else {
        return Some(String::new());
    };
    Some(String::from_utf8_lossy(&unescape(quoted.as_bytes())).into_owned())
}

/// Undoes protobuf text escapes up to the closing quote.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [] | [b'"', ..] => return bytes,
            [b'\\', b'x', high, low, tail @ ..] => {
                bytes.extend(number(&[*high, *low], 16));
                rest = tail;
            }
            [b'\\', a @ b'0'..=b'7', b, c, tail @ ..] => {
                bytes.extend(number(&[*a, *b, *c], 8));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                rest = tail;
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approval_and_commit_say_everything_of_the_definition() {
        let definition = Definition {
            init_required: true,
            signature_policy: Some("OR('Org1MSP.peer')".to_owned()),
            collections_config: Some("c.json".into()),
            ..Definition::new("ledger")
        };
        let flags = definition.flags().join(" ");
        assert_eq!(
            flags,
            "--name ledger --version 1.0 --sequence 1 --init-required \
             --signature-policy OR('Org1MSP.peer') --collections-config c.json"
        );
    }

    #[test]
    fn the_payload_is_read_from_the_log_line() {
        let cases = [
            (r#"status:200 payload:"v""#, "v"),
            (r#"status:200  payload:"a \"b\"\n\\""#, "a \"b\"\n\\"),
            (r#"status:200 payload:"\303\274 \xc3\xbc""#, "ü ü"),
            ("status:200", ""),
        ];
        for (result, payload) in cases {
            let log = format!("before\nChaincode invoke successful. result: {result}\nafter");
            assert_eq!(invoke_payload(&log).as_deref(), Some(payload), "{result}");
        }
        assert_eq!(invoke_payload("Error: refused"), None);
    }
}
