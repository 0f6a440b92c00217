//! Who may talk to whom: the credentials on both sides of the proxy.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self as pki_pem, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

/// Where a peer listens for chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    host: String,
    port: u16,
}

/// An address that is not `host:port`.
#[derive(Debug, thiserror::Error)]
#[error("the peer's address {0:?} is not of the form host:port")]
pub struct PeerAddressError(String);

impl FromStr for PeerAddress {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || PeerAddressError(text.into());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| refused())?;
        if host.is_empty() || port == 0 {
            return Err(refused());
        }
        Ok(Self { host: host.into(), port })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

impl PeerAddress {
    /// The host without brackets: the name that the peer's certificate bears.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// The credentials that the peer gave for one launch of one chaincode, as PEM.
#[derive(Clone)]
pub struct PeerCredentials {
    /// The chaincode's client certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// What the peer's chaincode listener is verified against.
    pub root: String,
}

/// Why PEM texts make no TLS identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("{0} is no PEM")]
    Pem(&'static str, #[source] pki_pem::Error),
    #[error("there is no certificate in {0}")]
    Empty(&'static str),
    #[error("certificate and key cannot be used for TLS")]
    Identity(#[source] rustls::Error),
    #[error("the authority's certificate cannot be used for TLS")]
    Authority(#[source] VerifierBuilderError),
    #[error("{0:?} is no name that a certificate can bear")]
    Host(String, #[source] InvalidDnsNameError),
}

/// The only protocol that either side speaks.
const HTTP_2: &[u8] = b"h2";

impl PeerCredentials {
    /// TLS towards a peer, whose certificate must be of its own root.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, CredentialsError> {
        client_config(&self.certificate, &relabelled(&self.key), &self.root)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn identity(
    chain: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CredentialsError> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| CredentialsError::Pem("the key", error))?;
    Ok((certificates("the certificate", chain)?, key))
}

fn roots(root: &str) -> Result<RootCertStore, CredentialsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates("the authority", root)? {
        store.add(certificate).map_err(CredentialsError::Identity)?;
    }
    Ok(store)
}

fn certificates(
    what: &'static str,
    text: &str,
) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let certificates = certificates.map_err(|error| CredentialsError::Pem(what, error))?;
    if certificates.is_empty() { Err(CredentialsError::Empty(what)) } else { Ok(certificates) }
}

/// The key under the PEM label that its content has. Fabric writes PKCS#8 under
/// `EC PRIVATE KEY` (`common/crypto/tlsgen/key.go`), which strict parsers refuse.
fn relabelled(key: &str) -> String {
    match pem::parse(key) {
        Ok(block) if block.tag() == "EC PRIVATE KEY" && is_pkcs8(block.contents()) => {
            pem::encode(&pem::Pem::new("PRIVATE KEY", block.into_contents()))
        }
        // Anything else is as its label says, or the TLS library says what is wrong with it.
        _ => key.to_owned(),
    }
}

/// PKCS#8 begins with version 0 (RFC 5208), SEC 1's `ECPrivateKey` with version 1 (RFC 5915).
fn is_pkcs8(der: &[u8]) -> bool {
    const VERSION_0: [u8; 3] = [0x02, 0x01, 0x00];
    // The outer SEQUENCE's length takes one to three bytes for a key.
    (2..=4).any(|header| der.get(header..header + 3) == Some(&VERSION_0))
}

/// The proxy's identity towards replicas, and the authority that signs theirs, as PEM.
#[derive(Clone)]
pub struct ReplicaAuthority {
    /// The proxy's certificate: a server's, and a client's where replicas listen.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The chaincode's own authority: a replica must show a certificate of it.
    pub root: String,
}

impl ReplicaAuthority {
    /// TLS towards replicas, which must show a certificate of the authority.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, CredentialsError> {
        let (chain, key) = identity(&self.certificate, &self.key)?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots(&self.root)?.into(), provider())
                .build()
                .map_err(CredentialsError::Authority)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(CredentialsError::Identity)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(CredentialsError::Identity)?;
        config.alpn_protocols.push(HTTP_2.into());
        Ok(config)
    }

    /// TLS towards replicas that listen, with a certificate of the authority on either side.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, CredentialsError> {
        client_config(&self.certificate, &self.key, &self.root)
    }
}

fn client_config(chain: &str, key: &str, root: &str) -> Result<ClientConfig, CredentialsError> {
    let (chain, key) = identity(chain, key)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(CredentialsError::Identity)?
        .with_root_certificates(roots(root)?)
        .with_client_auth_cert(chain, key)
        .map_err(CredentialsError::Identity)?;
    config.alpn_protocols.push(HTTP_2.into());
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        let address: PeerAddress = "peer0.org1.example.com:7052".parse().unwrap();
        assert_eq!(address.host(), "peer0.org1.example.com");
        let address: PeerAddress = "[::1]:7052".parse().unwrap();
        assert_eq!((address.host(), address.to_string().as_str()), ("::1", "[::1]:7052"));
        for wrong in ["", "peer", "peer:", ":7052", "peer:http", "peer:0", "peer:70520"] {
            assert!(wrong.parse::<PeerAddress>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn mends_the_label_of_the_peers_key() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let as_fabric = pem::encode(&pem::Pem::new("EC PRIVATE KEY", pair.serialize_der()));
        assert!(relabelled(&as_fabric).starts_with("-----BEGIN PRIVATE KEY-----"));
        // A SEC 1 key (version 1) keeps its label.
        let sec1 =
            pem::encode(&pem::Pem::new("EC PRIVATE KEY", vec![0x30, 0x77, 0x02, 0x01, 0x01]));
        assert_eq!(relabelled(&sec1), sec1);
    }
}
