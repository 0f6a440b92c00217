//! `apart`: one launcher for several peers of an organisation, which it is not beside.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meaning::Senseless;
use crate::socket_address::SocketAddress;

/// The longest name of a host (RFC 1035, 2.3.4), and of a peer.
const LONGEST: usize = 253;

/// One launcher for several peers of an organisation, which it is not beside (`docs/apart.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apart {
    /// An address and a port, such as `0.0.0.0:7060`, where the peers' builders reach the launcher by
    /// TLS, in which each side shows a certificate of the launcher's own authority. Taken up when the
    /// launcher starts.
    #[schemars(with = "SocketAddress")]
    pub address: SocketAddr,
    /// The names and IP addresses by which peers call it (`SELVEDGE_LAUNCHER=tls:NAME:PORT`): its
    /// certificate has them, and is made anew when they change.
    #[schemars(length(min = 1))]
    pub names: Vec<String>,
    /// The MSP ID of the organisation: chaincode of no other is run for a peer that calls from apart.
    #[schemars(length(min = 1))]
    pub msp_id: String,
    /// The peers that it is for, by the names that `selvedge-launcher issue` gives them. One that is
    /// taken from here is refused from its next call on, whatever its certificate says.
    pub peers: Vec<String>,
}

/// Whether a peer can be called so: a host's name, or what is like one.
pub fn is_peer_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_bare = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_bare && text.len() <= LONGEST && text.bytes().all(inner)
}

/// What no launcher could be called, and no peer: paths below `apart`.
pub(crate) fn senseless(apart: &Apart) -> Vec<Senseless> {
    let of = |key: &str, all: &[String], is_right: fn(&str) -> bool, expected: &str| {
        let wrong = all.iter().enumerate().filter(|(_, name)| !is_right(name));
        let told = |(number, _): (usize, &String)| {
            (vec![key.to_owned(), number.to_string()], expected.to_owned())
        };
        wrong.map(told).collect::<Vec<_>>()
    };
    let is_host = |name: &str| name.parse::<IpAddr>().is_ok() || is_peer_name(name);
    let mut found = of(
        "names",
        &apart.names,
        is_host,
        "is no name of a host, and no IP address; the port is that of `apart.address`",
    );
    found.extend(of(
        "peers",
        &apart.peers,
        is_peer_name,
        "is no peer's name: letters, digits, dashes, dots and underscores, 253 at most",
    ));
    found
}
