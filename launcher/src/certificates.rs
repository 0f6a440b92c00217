//! The launcher's own small certificate authority, one per run of a chaincode.
//!
//! A replica never sees the peer's credentials: it has a certificate of this authority, which names
//! the one package that it may register. The authority's key is known to this process alone, and to the
//! one that follows it where replicas outlive a launcher (`estate.rs`); it is forgotten with the run:
//! as long as that lasts, replicas with other settings may follow, and each set of them has a
//! key of its own. A run may last as long as its peer does, and its certificates are good for longer.

use std::net::IpAddr;

use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair, PublicKeyData, SanType};
use selvedge_buildpack::shim::Shim;
use selvedge_manifest::ReplicaCredentials;
use selvedge_proxy::{Credential, ReplicaAuthority, SERVER_NAME, replica_name, seat_name};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::certificate_forms::{LIFE, authority, leaf};

/// What the authority is called in its certificates.
const NAME: &str = "Selvedge chaincode authority";

/// The age of an authority with which no run begins any more: the last one that does has nine years.
pub(crate) const AGED: Duration = Duration::days(365);

/// The certificates could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the certificates of the chaincode's replicas")]
pub(crate) struct CertificateError(#[from] rcgen::Error);

/// The authority of one run of a package.
pub(crate) struct RunAuthority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    root: String,
    /// When it was made, in seconds since 1970.
    made: i64,
    package_id: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
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
        let key = KeyPair::generate()?;
        let root = authority(NAME).self_signed(&key)?.pem();
        let issuer = Issuer::new(authority(NAME), key);
        let made = OffsetDateTime::now_utc().unix_timestamp();
        Ok(Self { issuer, root, made, package_id: package_id.to_owned() })
    }

    /// That of an earlier run, which was made then.
    pub(crate) fn again(
        package_id: &str,
        kept: &Certified,
        made: i64,
    ) -> Result<Self, CertificateError> {
        let issuer = Issuer::new(authority(NAME), KeyPair::from_pem(&kept.key)?);
        let (root, package_id) = (kept.certificate.clone(), package_id.to_owned());
        Ok(Self { issuer, root, made, package_id })
    }

    /// When it was made, in seconds since 1970.
    pub(crate) fn made(&self) -> i64 {
        self.made
    }

    /// What another run can have the same authority of.
    pub(crate) fn kept(&self) -> Certified {
        Certified { certificate: self.root.clone(), key: self.issuer.key().serialize_pem() }
    }

    /// What the proxy authenticates with, which replicas find under this name.
    pub(crate) fn proxy(&self, host: &ProxyHost) -> Result<ReplicaAuthority, CertificateError> {
        let key = KeyPair::generate()?;
        let mut proxy = leaf("Selvedge shim proxy", ExtendedKeyUsagePurpose::ServerAuth, LIFE);
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
            root: self.root.clone(),
        })
    }

    /// What a set of replicas authenticates with, and what the proxy knows them by. Those that listen
    /// show it as servers: the shims that dial and listen have one certificate for both.
    pub(crate) fn replica(
        &self,
        shim: Shim,
    ) -> Result<(ReplicaCredentials, Credential), CertificateError> {
        let key = KeyPair::generate()?;
        let credentials = self.certify(shim, &key, None)?;
        Ok((credentials, Credential::of(&key.subject_public_key_info())))
    }

    /// What so many replicas of a set authenticate with that are told from one another: the same, but
    /// for the number of the seat.
    pub(crate) fn seats(
        &self,
        shim: Shim,
        set: &ReplicaCredentials,
        number: u32,
    ) -> Result<Vec<ReplicaCredentials>, CertificateError> {
        let key = KeyPair::from_pem(&set.key)?;
        (0..number).map(|seat| self.certify(shim, &key, Some(seat))).collect()
    }

    fn certify(
        &self,
        shim: Shim,
        key: &KeyPair,
        seat: Option<u32>,
    ) -> Result<ReplicaCredentials, CertificateError> {
        let mut replica =
            leaf("Selvedge chaincode replica", ExtendedKeyUsagePurpose::ClientAuth, LIFE);
        let names = [Some(replica_name(&self.package_id)), seat.map(seat_name)];
        for name in names.into_iter().flatten() {
            replica.subject_alt_names.push(SanType::URI(name.try_into()?));
        }
        if shim.server().is_some() {
            replica.subject_alt_names.push(SanType::DnsName(SERVER_NAME.try_into()?));
            replica.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let replica = replica.signed_by(key, &self.issuer)?;
        Ok(self.credentials(&Certified { certificate: replica.pem(), key: key.serialize_pem() }))
    }

    /// What a set of replicas of an earlier run goes on to authenticate with.
    pub(crate) fn replica_again(
        &self,
        kept: &Certified,
    ) -> Result<(ReplicaCredentials, Credential), CertificateError> {
        let key = KeyPair::from_pem(&kept.key)?;
        Ok((self.credentials(kept), Credential::of(&key.subject_public_key_info())))
    }

    fn credentials(&self, own: &Certified) -> ReplicaCredentials {
        ReplicaCredentials {
            certificate: own.certificate.clone(),
            key: own.key.clone(),
            root: self.root.clone(),
        }
    }
}
