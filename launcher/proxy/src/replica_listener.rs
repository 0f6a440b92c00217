//! Takes replicas' connections and agrees with them on TLS and HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use h2::server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::pongs::LatePongs;
use crate::stream::Outgoing;
use crate::transport::WINDOW;

/// How long TLS and HTTP/2 may take to be agreed on.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many connections may be at it; the next ones wait in the socket's own queue.
const HANDSHAKES: usize = 64;

/// How long to wait when no connection can be taken: there may be file handles again.
const RETRY: Duration = Duration::from_millis(100);

/// Streams on one connection; a shim opens one.
const STREAMS: u32 = 4;

/// The headers of one request, in bytes.
const HEADERS: u32 = 16 << 10;

/// HTTP/2 with a replica.
pub(crate) type ReplicaHttp = server::Connection<LatePongs<TlsStream<TcpStream>>, Outgoing>;

/// Whose connection it is.
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
    connections: mpsc::Sender<(ReplicaHttp, Remote)>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if handshakes.len() < HANDSHAKES => match accepted {
                Ok((stream, _)) => {
                    handshakes.spawn(timeout(HANDSHAKE, secure(stream, tls.clone())));
                }
                Err(error) => {
                    warn!(%error, "cannot take a replica's connection");
                    sleep(RETRY).await;
                }
            },
            Some(ended) = handshakes.join_next() => match ended {
                Ok(Ok(Ok(connection))) => {
                    if connections.send(connection).await.is_err() {
                        return;
                    }
                }
                Ok(Ok(Err(error))) => debug!(%error, "no connection with a replica"),
                Ok(Err(_)) | Err(_) => debug!("no connection with a replica in time"),
            },
        }
    }
}

async fn secure(stream: TcpStream, tls: TlsAcceptor) -> io::Result<(ReplicaHttp, Remote)> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let remote = remote(&stream);
    let http = server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .handshake(LatePongs::new(stream))
        .await
        .map_err(io::Error::other)?;
    Ok((http, remote))
}

fn remote(stream: &TlsStream<TcpStream>) -> Remote {
    let (stream, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    Remote {
        address: stream.peer_addr().ok(),
        certificate: chain.first().map(|leaf| leaf.clone().into_owned()),
    }
}
