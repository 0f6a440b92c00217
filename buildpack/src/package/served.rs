//! Where a ccaas chaincode is served, as far as its package says.

use std::fmt;

use selvedge_package::{CONFIG_VARIABLE, CONNECTION_FILE, Connection, Protection};
use serde::Serialize;

use super::remark::Remark;

/// What a package says of its server. No key is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Host and port; `{{.name}}` where each peer fills something in.
    pub address: String,
    /// How long a peer may try to connect; none means its own 3 s.
    pub dial_timeout: Option<String>,
    /// How the connection is protected.
    pub protection: Protection,
    /// What each peer fills in, sorted.
    pub wanted: Vec<String>,
}

impl Served {
    pub(super) fn of(connection: &Connection) -> Self {
        Self {
            address: connection.address(),
            dial_timeout: connection.dial_timeout(),
            protection: connection.protection(),
            wanted: connection.wanted(),
        }
    }

    /// What has to be done on each peer, if anything.
    pub(super) fn remark(&self) -> Option<Remark> {
        let wanted: Vec<String> = self.wanted.iter().map(|name| format!("`{name}`")).collect();
        let text = format!(
            "wants {} of {CONFIG_VARIABLE}: in the environment of each peer, and listed in its \
             builder's propagateEnvironment",
            wanted.join(", ")
        );
        (!wanted.is_empty()).then(|| Remark { file: CONNECTION_FILE.to_owned(), text })
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address.escape_debug())?;
        match self.protection {
            Protection::None => f.write_str(", without TLS"),
            Protection::Tls => f.write_str(", with TLS"),
            Protection::Mutual => f.write_str(", with TLS and a certificate of the peer's"),
        }
    }
}
