//! Certificates: of the peer, of the proxy, and of replicas.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SanType,
};
use selvedge_proxy::{Credential, PeerCredentials, ReplicaAuthority, SERVER_NAME, replica_name};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    pub(crate) root: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Identity {
    /// What the proxy knows replicas by that have it.
    pub(crate) fn credential(&self) -> Credential {
        Credential::of(&KeyPair::from_pem(&self.key).unwrap().subject_public_key_info())
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, name);
        let root = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), root }
    }

    /// A certificate for a host name or an IP address.
    pub(crate) fn host(&self, host: &str) -> Identity {
        self.issue(&CertificateParams::new([host.to_owned()]).unwrap())
    }

    /// A certificate for a replica of a package.
    pub(crate) fn replica(&self, package_id: &str) -> Identity {
        let mut params = CertificateParams::default();
        let name = replica_name(package_id).as_str().try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(name));
        self.issue(&params)
    }

    /// A certificate for replicas of a package that listen.
    pub(crate) fn server(&self, package_id: &str) -> Identity {
        let mut params = CertificateParams::new([SERVER_NAME.to_owned()]).unwrap();
        let name = replica_name(package_id).as_str().try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(name));
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// What a peer gives to a chaincode that it launches, with Fabric's mislabelled key.
    pub(crate) fn chaincode(&self) -> PeerCredentials {
        let Identity { certificate, key } = self.host("chaincode");
        let key = key.replace(" PRIVATE KEY", " EC PRIVATE KEY");
        PeerCredentials { certificate, key, root: self.root.clone() }
    }

    /// What the proxy needs to serve replicas of this authority.
    pub(crate) fn for_replicas(&self) -> ReplicaAuthority {
        let Identity { certificate, key } = self.host("127.0.0.1");
        ReplicaAuthority { certificate, key, root: self.root.clone() }
    }
}
