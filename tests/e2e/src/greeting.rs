//! A client of the peer's chaincode listener, which learns whether its certificate is taken.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The listener answers at once.
const LIMIT: Duration = Duration::from_secs(20);

/// Connects to the peer's chaincode listener at `address`, known as `host` and vouched for by
/// `root`, with a certificate, and waits for the first word of its HTTP/2 server: with TLS 1.3, a
/// client learns no sooner whether it is accepted.
///
/// # Panics
///
/// When what is given is no PEM.
pub fn greeting(
    address: &str,
    host: &str,
    root: &str,
    certificate: &str,
    key: &str,
) -> io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(der(root)).expect("a CA certificate");
    // Whatever the PEM header says, what is in it is PKCS#8.
    let key = PrivatePkcs8KeyDer::from(pem::parse(key).expect("PEM").into_contents());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![der(certificate)], key.into())
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(LIMIT))?;
    let mut stream = StreamOwned::new(connection, socket);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
    stream.read_exact(&mut [0; 9])
}

fn der(certificate: &str) -> CertificateDer<'static> {
    pem::parse(certificate).expect("PEM").into_contents().into()
}
