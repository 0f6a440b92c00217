//! Which peer a certificate is for.

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::caller::PeerName;

/// Prefix of the URI in a peer's certificate that names it.
const PEER_URN: &str = "urn:selvedge:peer:";

/// The name that a peer's certificate bears as subject alternative name (a URI).
pub(super) fn uri(peer: &PeerName) -> String {
    format!("{PEER_URN}{peer}")
}

/// The one peer that a certificate (DER) names.
pub(super) fn peer(certificate: &[u8]) -> Option<PeerName> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let mut peers = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(PEER_URN)?.parse().ok(),
        _ => None,
    });
    let peer = peers.next()?;
    peers.next().is_none().then_some(peer)
}
