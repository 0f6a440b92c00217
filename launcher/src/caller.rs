//! Who calls the launcher: who is beside it, or one of the peers that it is apart from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use selvedge_config::is_peer_name;

/// Who calls. It is known by the way that the call came, and by nothing that the call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Who can reach the socket: the builders of the peer that the launcher is beside, and its operator.
    Beside,
    /// A peer, by its certificate.
    Peer(PeerName),
}

/// What a peer is called that the launcher is apart from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PeerName(Arc<str>);

/// A text that no peer is called.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no peer's name, which has letters, digits, dashes, dots and underscores, 253 at most, and \
     begins with a letter or a digit"
)]
pub(crate) struct NoPeerName(String);

impl Caller {
    /// The name of the peer that calls from apart.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Beside => None,
            Self::Peer(name) => Some(name.as_str()),
        }
    }

    /// The same, as what it calls for is marked with; empty for who is beside.
    pub(crate) fn peer(&self) -> &str {
        self.name().unwrap_or_default()
    }

    /// Whether it may know of what is marked so.
    pub(crate) fn sees(&self, peer: &str) -> bool {
        self.name().is_none_or(|name| name == peer)
    }
}

impl PeerName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerName {
    type Err = NoPeerName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_peer_name(text) { Ok(Self(text.into())) } else { Err(NoPeerName(text.into())) }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_sees_what_is_its_own_and_who_is_beside_all() {
        let peer = Caller::Peer("peer0".parse().unwrap());
        for (marked, sees) in [("peer0", true), ("peer1", false), ("", false)] {
            assert_eq!((peer.sees(marked), Caller::Beside.sees(marked)), (sees, true), "{marked}");
        }
    }

    #[test]
    fn names_are_those_of_hosts_or_like_them() {
        for name in ["peer0", "peer0.org1.example.com", "0-a_b"] {
            assert_eq!(name.parse::<PeerName>().unwrap().as_str(), name);
        }
        for name in ["", "-peer", "peer 0", "peer/0", "p\u{e9}er", &"p".repeat(254)] {
            assert!(name.parse::<PeerName>().is_err(), "{name}");
        }
    }
}
