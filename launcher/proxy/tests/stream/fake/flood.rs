//! A replica's connection that is used for nothing but noise.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::authority::Identity;

/// An empty frame of a type that nobody knows, which is to be ignored (RFC 9113, section 4.1).
const NOISE: [u8; 9] = [0, 0, 0, 0xff, 0, 0, 0, 0, 0];

/// An empty SETTINGS frame.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A connection that never opens a stream.
pub(crate) struct Connection {
    tls: StreamOwned<ClientConnection, TcpStream>,
}

impl Connection {
    /// Connects; the proxy has taken HTTP/2 up with it.
    pub(crate) fn open(proxy: SocketAddr, root: &str, identity: &Identity) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols.push(b"h2".into());
        let session =
            ClientConnection::new(config.into(), proxy.ip().to_string().try_into().unwrap());
        let mut tls = StreamOwned::new(session.unwrap(), TcpStream::connect(proxy).unwrap());
        tls.write_all(&[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &SETTINGS].concat()).unwrap();
        let mut connection = Self { tls };
        // Who acknowledges the settings polls the connection.
        while connection.frame().is_some_and(|head| head[3..5] != [4, 1]) {}
        connection
    }

    /// The head of the next frame; `None` when the proxy has closed the connection.
    pub(crate) fn frame(&mut self) -> Option<[u8; 9]> {
        let mut head = [0; 9];
        self.tls.read_exact(&mut head).ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        self.tls.read_exact(&mut vec![0; length]).ok()?;
        Some(head)
    }

    /// Makes as much noise as the proxy takes, until this is dropped.
    pub(crate) fn flood(mut self) -> Flood {
        let socket = self.tls.sock.try_clone().unwrap();
        let noise = NOISE.repeat(1 << 12);
        let thread = thread::spawn(move || while self.tls.write_all(&noise).is_ok() {});
        Flood { socket, thread: Some(thread) }
    }
}

/// Noise.
pub(crate) struct Flood {
    socket: TcpStream,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
