//! Takes replicas' connections and agrees with them on TLS and HTTP/2.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use h2::server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::arrival::Arrival;
use crate::identity::Identity;
use crate::pongs::LatePongs;
use crate::replica_http::{Connected, ReplicaHttp};
use crate::transport::NARROW_WINDOW;

/// How long TLS and HTTP/2 may take to be agreed on.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many connections may be at it. For one more the oldest is given up, so that no number of
/// strangers that connect and say nothing keeps a replica out.
const HANDSHAKES: usize = 64;

/// How long to wait when no connection can be taken: there may be file handles again.
const RETRY: Duration = Duration::from_millis(100);

/// Streams on one connection; a shim opens one.
const STREAMS: u32 = 4;

/// The headers of one request or answer, in bytes.
pub(crate) const HEADERS: u32 = 16 << 10;

/// What a connection is agreed on with.
pub(crate) struct Door {
    pub(crate) tls: TlsAcceptor,
    /// The package whose replicas are let in.
    pub(crate) package_id: String,
}

/// Takes connections for as long as someone takes them from here.
pub(crate) async fn accept(listener: TcpListener, door: Door, arrivals: mpsc::Sender<Arrival>) {
    let door = Arc::new(door);
    let mut handshakes = Handshakes::default();
    loop {
        tokio::select! {
            // What has ended makes room for what comes.
            biased;
            Some(agreed) = handshakes.next() => match agreed {
                Ok(connection) => {
                    if arrivals.send(Arrival::Connected(connection)).await.is_err() {
                        return;
                    }
                }
                Err(error) => debug!(%error, "no connection with a replica"),
            },
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => handshakes.begin(Arc::clone(&door).agree(stream)),
                Err(error) => {
                    warn!(%error, "cannot take a replica's connection");
                    sleep(RETRY).await;
                }
            },
        }
    }
}

/// The connections that are being agreed on.
struct Handshakes<T> {
    tasks: JoinSet<io::Result<T>>,
    /// The oldest first.
    order: VecDeque<AbortHandle>,
}

impl<T> Default for Handshakes<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), order: VecDeque::new() }
    }
}

impl<T: Send + 'static> Handshakes<T> {
    fn begin(&mut self, handshake: impl Future<Output = io::Result<T>> + Send + 'static) {
        self.order.retain(|handshake| !handshake.is_finished());
        if self.order.len() >= HANDSHAKES
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let limited =
            async { timeout(HANDSHAKE, handshake).await.unwrap_or_else(|late| Err(late.into())) };
        self.order.push_back(self.tasks.spawn(limited));
    }

    /// What the next one came to; `None` when there is none.
    async fn next(&mut self) -> Option<io::Result<T>> {
        let ended = self.tasks.join_next().await?;
        // Given up for a newer one, or a panic, which the runtime has told.
        Some(ended.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

impl Door {
    async fn agree(self: Arc<Self>, stream: TcpStream) -> io::Result<Connected> {
        stream.set_nodelay(true)?;
        let stream = self.tls.accept(stream).await?;
        let (tcp, session) = stream.get_ref();
        let leaf = session.peer_certificates().and_then(|chain| chain.first());
        // Here and not on each stream: a stranger takes no place among the replicas.
        let identity = leaf.and_then(|leaf| Identity::for_package(leaf, &self.package_id));
        let Some(identity) = identity else {
            return Err(io::Error::other("the certificate is not for this chaincode"));
        };
        let address = tcp.peer_addr().ok();
        let http = server::Builder::new()
            .initial_window_size(NARROW_WINDOW)
            .initial_connection_window_size(NARROW_WINDOW)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADERS)
            .handshake(LatePongs::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Connected { http: ReplicaHttp::accepted(http), address, identity })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_given_up_for_a_new_one() {
        let mut handshakes = Handshakes::default();
        let (silent, mut given_up) = mpsc::channel::<()>(1);
        handshakes.begin(async move {
            let _until_it_is_given_up = silent;
            pending().await
        });
        for _ in 1..HANDSHAKES {
            handshakes.begin(pending());
        }
        tokio::task::yield_now().await;
        assert!(matches!(given_up.try_recv(), Err(mpsc::error::TryRecvError::Empty)));
        handshakes.begin(ready(Ok("a replica")));
        assert_eq!(given_up.recv().await, None);
        let mut ended = [handshakes.next().await.unwrap(), handshakes.next().await.unwrap()];
        ended.sort_by_key(Result::is_err);
        assert_eq!(ended[0].as_ref().unwrap(), &"a replica");
        assert!(ended[1].is_err());
        // The others have what is left of their time.
        assert_eq!(handshakes.tasks.len(), HANDSHAKES - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_ended_takes_no_place() {
        let mut handshakes = Handshakes::default();
        for _ in 0..HANDSHAKES {
            handshakes.begin(ready(Ok(())));
        }
        for _ in 0..HANDSHAKES {
            handshakes.next().await.unwrap().unwrap();
        }
        for _ in 0..HANDSHAKES {
            handshakes.begin(pending());
        }
        assert!(timeout(HANDSHAKE / 2, handshakes.next()).await.is_err(), "one was given up");
        let late = handshakes.next().await.unwrap().unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    }
}
