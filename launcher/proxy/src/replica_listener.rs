//! Takes replicas' connections and agrees with them on TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use crate::pongs::{LatePongs, Traffic};

/// How long TLS may take to be agreed on.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many connections may be at it; the next ones wait in the socket's own queue.
const HANDSHAKES: usize = 64;

/// How long to wait when no connection can be taken: there may be file handles again.
const RETRY: Duration = Duration::from_millis(100);

/// A replica's connection.
pub(crate) type ReplicaConnection = LatePongs<TlsStream<TcpStream>>;

/// Whose connection it is; an extension of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) address: Option<SocketAddr>,
    /// What the other side showed, of the authority that it was asked for.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

/// Takes connections for as long as someone takes them from here.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    traffic: Traffic,
    connections: mpsc::Sender<io::Result<ReplicaConnection>>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if handshakes.len() < HANDSHAKES => match accepted {
                Ok((stream, _)) => {
                    handshakes.spawn(timeout(HANDSHAKE, secure(stream, tls.clone(), traffic.clone())));
                }
                Err(error) => {
                    warn!(%error, "cannot take a replica's connection");
                    sleep(RETRY).await;
                }
            },
            Some(ended) = handshakes.join_next() => match ended {
                Ok(Ok(Ok(connection))) => {
                    if connections.send(Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Ok(Ok(Err(error))) => debug!(%error, "no TLS with a replica"),
                Ok(Err(_)) | Err(_) => debug!("no TLS with a replica in time"),
            },
        }
    }
}

async fn secure(
    stream: TcpStream,
    tls: TlsAcceptor,
    traffic: Traffic,
) -> io::Result<ReplicaConnection> {
    stream.set_nodelay(true)?;
    Ok(LatePongs::new(tls.accept(stream).await?, traffic))
}

impl Connected for ReplicaConnection {
    type ConnectInfo = Remote;

    fn connect_info(&self) -> Remote {
        let (stream, session) = self.get_ref().get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        Remote {
            address: stream.peer_addr().ok(),
            certificate: chain.first().map(|leaf| leaf.clone().into_owned()),
        }
    }
}
