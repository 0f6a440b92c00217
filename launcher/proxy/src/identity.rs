//! Who a replica is: what its certificate says of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::digest::Digest;

/// Prefix of the URI in a replica's certificate that names its package ID.
const PACKAGE_URN: &str = "urn:selvedge:package:";

/// Prefix of the URI in a replica's certificate that names its seat.
const SEAT_URN: &str = "urn:selvedge:seat:";

/// The name that the certificate of a replica that listens must bear besides, as subject
/// alternative name (a DNS name): it is made before the replica has an address.
pub const SERVER_NAME: &str = "replica.selvedge.internal";

/// The name that a replica's certificate must bear as subject alternative name (a URI).
pub fn replica_name(package_id: &str) -> String {
    format!("{PACKAGE_URN}{package_id}")
}

/// The name that a replica's certificate may bear besides (a URI): which of its set it is.
pub fn seat_name(seat: u32) -> String {
    format!("{SEAT_URN}{seat}")
}

/// What replicas are told from others by: the SHA-256 of the public key in the certificate that they
/// show. Replicas that share a key share this. One that is dialled without TLS shows nothing: it has
/// the credential that it is dialled for, and nothing but its address speaks for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credential(Digest);

impl Credential {
    /// That of the replicas that have this key (DER, `SubjectPublicKeyInfo`).
    pub fn of(public_key: &[u8]) -> Self {
        Self(Digest::of(public_key))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Which one of its set a replica is: no two processes that are there at once share one where seats
/// are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReplicaPlace {
    /// Where it has connected from, or was dialled; `None` where the system does not say.
    pub address: Option<SocketAddr>,
    /// The seat in its certificate, if that has one.
    pub seat: Option<u32>,
}

/// What those have in common whom nobody can tell from one another, of one credential: where they are,
/// and which of their set they are, where their certificates say that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The machine or pod that they connect from, or are dialled at.
    pub address: IpAddr,
    /// The seat in their certificate.
    pub seat: Option<u32>,
}

impl Origin {
    /// As whoever looks at a connection has it: an IPv4 address is one, however it came.
    pub(crate) fn canonical(self) -> Self {
        Self { address: self.address.to_canonical(), ..self }
    }
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self { address, seat: None }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.address)?;
        self.seat.map_or(Ok(()), |seat| write!(out, ", seat {seat}"))
    }
}

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) credential: Credential,
    pub(crate) seat: Option<u32>,
}

impl Identity {
    /// What the certificate (DER) says, if it is for a replica of the package.
    pub(crate) fn for_package(certificate: &[u8], package_id: &str) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        let uris = || {
            names.value.general_names.iter().filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            })
        };
        uris().find(|uri| uri.strip_prefix(PACKAGE_URN) == Some(package_id))?;
        let seat = uris().find_map(|uri| uri.strip_prefix(SEAT_URN)?.parse().ok());
        Some(Self { credential: credential(&certificate), seat })
    }

    /// What the certificate (DER) says, whomever it is for.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Some(Self { credential: credential(&certificate), seat: None })
    }
}

fn credential(certificate: &X509Certificate<'_>) -> Credential {
    Credential::of(certificate.public_key().raw)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PublicKeyData, SanType};

    use super::*;

    const PACKAGE: &str = "basic_1.0:ab12";

    fn certificate(names: &[&str], key: &KeyPair) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        let names = names.iter().map(|name| SanType::URI((*name).try_into().unwrap()));
        parameters.subject_alt_names.extend(names);
        parameters.self_signed(key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_for_one_package() {
        let key = KeyPair::generate().unwrap();
        let certificate = certificate(&[&replica_name(PACKAGE)], &key);
        let credential = Credential::of(&key.subject_public_key_info());
        let identity = Identity { credential, seat: None };
        assert_eq!(Identity::for_package(&certificate, PACKAGE), Some(identity));
        assert_eq!(Identity::for_package(&certificate, "basic_1.0:ab1"), None);
        assert_eq!(Identity::for_package(b"no certificate", PACKAGE), None);
    }

    #[test]
    fn those_of_one_set_have_a_key_in_common_and_seats_of_their_own() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let with = |seat: &str, key| {
            let certificate = certificate(&[&replica_name(PACKAGE), seat], key);
            Identity::for_package(&certificate, PACKAGE).unwrap()
        };
        let [one, two] = [1, 2].map(|seat| with(&seat_name(seat), &key));
        assert_eq!((one.seat, two.seat), (Some(1), Some(2)));
        assert_eq!(one.credential, two.credential);
        assert_ne!(with(&seat_name(1), &other).credential, one.credential);
        assert_eq!(with("urn:selvedge:seat:window", &key).seat, None);
    }
}
