//! The certificates of one cluster, all of one authority whose key is forgotten.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Signs the certificates of one cluster.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn create() -> Result<Self, rcgen::Error> {
        let mut parameters = parameters("selvedge-testbed", None);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// The identity `user` of `group`, for requests to the API server or a kubelet.
    pub(crate) fn client(
        &self,
        user: &str,
        group: Option<&str>,
    ) -> Result<Credentials, rcgen::Error> {
        let mut parameters = parameters(user, group);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&parameters)
    }

    /// A server that is reached by these names and addresses.
    pub(crate) fn server(
        &self,
        names: &[&str],
        addresses: &[Ipv4Addr],
    ) -> Result<Credentials, rcgen::Error> {
        let mut parameters = parameters(names.first().unwrap_or(&"server"), None);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names {
            parameters.subject_alt_names.push(SanType::DnsName((*name).try_into()?));
        }
        for address in addresses {
            parameters.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(*address)));
        }
        self.sign(&parameters)
    }

    fn sign(&self, parameters: &CertificateParams) -> Result<Credentials, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok(Credentials { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The key pair that signs service account tokens: private and public half, as PEM.
pub(crate) fn token_keys() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// Kubernetes takes the user from the common name and the group from the organisation.
fn parameters(user: &str, group: Option<&str>) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, user);
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.not_before = OffsetDateTime::now_utc() - Duration::hours(1);
    parameters.not_after = parameters.not_before + Duration::days(365);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters
}
