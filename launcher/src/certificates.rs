//! The launcher's own small certificate authority, one per run of a chaincode.
//!
//! A replica never sees the peer's credentials: it has a certificate of this
//! authority, which names the one package that it may register. The authority's
//! key is forgotten as soon as the certificates are signed.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use selvedge_manifest::ReplicaCredentials;
use selvedge_proxy::{ReplicaAuthority, replica_name};
use time::{Duration, OffsetDateTime};

/// How long certificates are valid. A run may last as long as its peer does;
/// the certificates are worth nothing after it.
const LIFE: Duration = Duration::days(3650);

/// Clocks of two machines may differ by this much.
const SKEW: Duration = Duration::hours(1);

/// The certificates could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the certificates of the chaincode's replicas")]
pub(crate) struct CertificateError(#[from] rcgen::Error);

/// What the two ends of the link between proxy and replica authenticate with.
pub(crate) struct LinkCertificates {
    /// The proxy's end.
    pub(crate) proxy: ReplicaAuthority,
    /// The replica's end.
    pub(crate) replica: ReplicaCredentials,
}

/// The name or address that replicas reach the proxy by.
#[derive(Clone, Debug)]
pub(crate) enum ProxyHost {
    /// An IP address.
    Address(IpAddr),
    /// A DNS name.
    Name(String),
}

impl LinkCertificates {
    /// Makes an authority for one run of a package, and the certificates of both ends.
    pub(crate) fn issue(package_id: &str, host: &ProxyHost) -> Result<Self, CertificateError> {
        let authority = CertifiedIssuer::self_signed(authority(), KeyPair::generate()?)?;
        let root = authority.pem();

        let proxy_key = KeyPair::generate()?;
        let mut proxy = leaf("Selvedge shim proxy", ExtendedKeyUsagePurpose::ServerAuth);
        proxy.subject_alt_names = vec![match host {
            ProxyHost::Address(address) => SanType::IpAddress(*address),
            ProxyHost::Name(name) => SanType::DnsName(name.as_str().try_into()?),
        }];
        let proxy = proxy.signed_by(&proxy_key, &authority)?;

        let replica_key = KeyPair::generate()?;
        let mut replica = leaf("Selvedge chaincode replica", ExtendedKeyUsagePurpose::ClientAuth);
        replica.subject_alt_names = vec![SanType::URI(replica_name(package_id).try_into()?)];
        let replica = replica.signed_by(&replica_key, &authority)?;

        Ok(Self {
            proxy: ReplicaAuthority {
                certificate: proxy.pem(),
                key: proxy_key.serialize_pem(),
                root: root.clone(),
            },
            replica: ReplicaCredentials {
                certificate: replica.pem(),
                key: replica_key.serialize_pem(),
                root,
            },
        })
    }
}

fn authority() -> CertificateParams {
    let mut parameters = named("Selvedge chaincode authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut parameters = named(name);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![purpose];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = OffsetDateTime::now_utc() - SKEW;
    parameters.not_after = OffsetDateTime::now_utc() + LIFE;
    parameters
}
