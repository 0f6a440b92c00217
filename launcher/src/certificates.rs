//! The launcher's own small certificate authority, one per run of a chaincode.
//!
//! A replica never sees the peer's credentials: it has a certificate of this authority, which names
//! the one package that it may register. The authority's key is in this process' memory and nowhere
//! else, and forgotten with the run: as long as that lasts, replicas with other settings may follow,
//! and each set of them has a certificate of its own.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use selvedge_buildpack::shim::Shim;
use selvedge_manifest::ReplicaCredentials;
use selvedge_proxy::{Credential, ReplicaAuthority, SERVER_NAME, replica_name};
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

/// The authority of one run of a package.
pub(crate) struct RunAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    package_id: String,
}

/// The name or address that replicas reach the proxy by.
#[derive(Clone, Debug)]
pub(crate) enum ProxyHost {
    /// An IP address.
    Address(IpAddr),
    /// A DNS name.
    Name(String),
}

impl RunAuthority {
    /// Makes one.
    pub(crate) fn new(package_id: &str) -> Result<Self, CertificateError> {
        let issuer = CertifiedIssuer::self_signed(authority(), KeyPair::generate()?)?;
        Ok(Self { issuer, package_id: package_id.to_owned() })
    }

    /// What the proxy authenticates with, which replicas find under this name.
    pub(crate) fn proxy(&self, host: &ProxyHost) -> Result<ReplicaAuthority, CertificateError> {
        let key = KeyPair::generate()?;
        let mut proxy = leaf("Selvedge shim proxy", ExtendedKeyUsagePurpose::ServerAuth);
        // Towards replicas that listen.
        proxy.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        proxy.subject_alt_names = vec![match host {
            ProxyHost::Address(address) => SanType::IpAddress(*address),
            ProxyHost::Name(name) => SanType::DnsName(name.as_str().try_into()?),
        }];
        let proxy = proxy.signed_by(&key, &self.issuer)?;
        Ok(ReplicaAuthority {
            certificate: proxy.pem(),
            key: key.serialize_pem(),
            root: self.issuer.pem(),
        })
    }

    /// What a set of replicas authenticates with, and what the proxy knows them by. Those that listen
    /// show it as servers: the shims that dial and listen have one certificate for both.
    pub(crate) fn replica(
        &self,
        shim: Shim,
    ) -> Result<(ReplicaCredentials, Credential), CertificateError> {
        let key = KeyPair::generate()?;
        let mut replica = leaf("Selvedge chaincode replica", ExtendedKeyUsagePurpose::ClientAuth);
        let name = replica_name(&self.package_id).try_into()?;
        replica.subject_alt_names = vec![SanType::URI(name)];
        if matches!(shim, Shim::Listens(_)) {
            replica.subject_alt_names.push(SanType::DnsName(SERVER_NAME.try_into()?));
            replica.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let replica = replica.signed_by(&key, &self.issuer)?;
        let credentials = ReplicaCredentials {
            certificate: replica.pem(),
            key: key.serialize_pem(),
            root: self.issuer.pem(),
        };
        Ok((credentials, Credential::of(replica.der())))
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
