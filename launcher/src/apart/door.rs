//! Where a launcher apart lets its peers in: a TCP port, TLS, and a certificate of its own authority on
//! either side.

use std::io;
#[cfg(test)]
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use selvedge_config::Apart;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::arrival::Arrival;
use super::authority::Authority;
use super::certifier::Certifier;
use super::identity;
use crate::configuration::Configuration;

/// How many connections there are at once: a peer has one for each chaincode that runs, and for each
/// build.
const PLACES: usize = 4096;

/// How many of them may not have proved yet who they are.
const STRANGERS: usize = 256;

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nobody is let in when the system has no more files or memory for it.
const PAUSE: Duration = Duration::from_millis(200);

/// Where peers come in.
pub(crate) struct Door {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("it has not proved who it is within {} s", PATIENCE.as_secs())]
    Slow,
    #[error(transparent)]
    Unproved(io::Error),
    #[error("its certificate names no peer")]
    Nameless,
}

impl Door {
    /// Listens, with the authority in the directory, which is made if there is none.
    pub(crate) async fn open(
        apart: &Apart,
        authority: &Path,
        configuration: Configuration,
    ) -> anyhow::Result<Self> {
        let certifier = Certifier::new(Authority::open(authority)?, configuration)?;
        let config = server_config(Arc::new(certifier)).with_context(|| {
            format!("the authority in {} cannot be used for TLS", authority.display())
        })?;
        let listener = TcpListener::bind(apart.address)
            .await
            .with_context(|| format!("cannot listen on {} (apart.address)", apart.address))?;
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Where it is.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Lets in who proves to be a peer, until `leaving` fires. From then on nobody listens there, and
    /// who calls waits for the launcher that may follow.
    pub(crate) fn arrivals(
        self,
        leaving: CancellationToken,
    ) -> ReceiverStream<io::Result<Arrival>> {
        let (arrived, arrivals) = mpsc::channel(1);
        tokio::spawn(async move {
            tokio::select! {
                () = leaving.cancelled() => {}
                () = arrived.closed() => {}
                never = self.accept(&arrived) => never,
            }
        });
        ReceiverStream::new(arrivals)
    }

    /// Never returns.
    async fn accept(&self, arrived: &mpsc::Sender<io::Result<Arrival>>) {
        let (places, strangers) =
            (Arc::new(Semaphore::new(PLACES)), Arc::new(Semaphore::new(STRANGERS)));
        loop {
            // Nobody closes them.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok(stranger) = Arc::clone(&strangers).acquire_owned().await else { return };
            let (socket, from) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot let a peer in");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (acceptor, arrived) = (self.acceptor.clone(), arrived.clone());
            tokio::spawn(async move {
                let met = meet(&acceptor, socket, place).await;
                drop(stranger);
                match met {
                    // Nobody takes it when the launcher ends.
                    Ok(arrival) => drop(arrived.send(Ok(arrival)).await),
                    Err(reason) => info!(%from, %reason, "a caller is not let in"),
                }
            });
        }
    }
}

async fn meet(
    acceptor: &TlsAcceptor,
    socket: TcpStream,
    place: OwnedSemaphorePermit,
) -> Result<Arrival, Unknown> {
    socket.set_nodelay(true).map_err(Unknown::Unproved)?;
    let stream = timeout(PATIENCE, acceptor.accept(socket)).await;
    let stream = stream.map_err(|_| Unknown::Slow)?.map_err(Unknown::Unproved)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = shown.and_then(|shown| identity::peer(shown)).ok_or(Unknown::Nameless)?;
    Ok(Arrival { stream, peer, _place: place })
}

/// TLS 1.3 alone, as all who call are ours. No session is taken up again: a certificate that has ended
/// meanwhile would not be looked at.
fn server_config(certifier: Arc<Certifier>) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(certifier.root().as_bytes()) {
        roots.add(root?)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier.build()?)
        .with_cert_resolver(certifier);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols.push(b"h2".to_vec());
    Ok(config)
}
