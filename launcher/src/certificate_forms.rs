//! What the launcher's certificates have in common: those of a run, and those of a launcher apart.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// How long certificates are valid that nobody renews.
pub(crate) const LIFE: Duration = Duration::days(3650);

/// Clocks of two machines may differ by this much.
pub(crate) const SKEW: Duration = Duration::hours(1);

/// An authority of this name, which makes no other authorities.
pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut parameters = named(name, LIFE);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

/// A certificate of an authority's, for one purpose.
pub(crate) fn leaf(
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
    life: Duration,
) -> CertificateParams {
    let mut parameters = named(name, life);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![purpose];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

fn named(name: &str, life: Duration) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = OffsetDateTime::now_utc() - SKEW;
    parameters.not_after = OffsetDateTime::now_utc() + life;
    parameters
}
