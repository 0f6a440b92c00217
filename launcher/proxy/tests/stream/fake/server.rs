//! A replica's process that listens, as the shims' chaincode servers do.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use selvedge_proxy::{Credential, Security, Target};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tower::Service;

use super::authority::{self, Authority};
use super::replica::Replica;
use super::soon;

/// A listening process.
pub(crate) struct ChaincodeServer {
    pub(crate) address: SocketAddr,
    streams: mpsc::UnboundedReceiver<Replica>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for ChaincodeServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl ChaincodeServer {
    /// Listens where nobody else does; with TLS as somebody, taking clients of the authority only.
    pub(crate) async fn listen(tls: Option<(&Authority, &authority::Identity)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, tls)
    }

    /// The same, on a socket that is there.
    pub(crate) fn on(
        listener: TcpListener,
        tls: Option<(&Authority, &authority::Identity)>,
    ) -> Self {
        let mut server = Server::builder();
        if let Some((authority, identity)) = tls {
            let config = ServerTlsConfig::new()
                .identity(Identity::from_pem(&identity.certificate, &identity.key))
                .client_ca_root(Certificate::from_pem(&authority.root));
            server = server.tls_config(config).unwrap();
        }
        let address = listener.local_addr().unwrap();
        let (arrived, streams) = mpsc::unbounded_channel();
        let sockets = Sockets::default();
        let chaincode = Chaincode { arrived, sockets: sockets.clone() };
        let incoming = TcpListenerStream::new(listener).map(move |socket| {
            // The one that is in use, too: it is killed by its copy.
            let socket = socket?.into_std()?;
            sockets.lock().unwrap().push(socket.try_clone()?);
            tokio::net::TcpStream::from_std(socket)
        });
        let server = tokio::spawn(async move {
            server.serve_with_incoming(chaincode, incoming).await.unwrap();
        });
        Self { address, streams, server }
    }

    /// Where it is to be dialled, with TLS.
    pub(crate) fn with_tls(&self, credential: Credential) -> Target {
        Target { address: self.address, credential, security: Security::Tls }
    }

    /// Where it is to be dialled, without TLS.
    pub(crate) fn plain(&self) -> Target {
        let credential = Credential::of(b"a set of replicas");
        Target { address: self.address, credential, security: Security::Plain }
    }

    /// The next stream that the proxy opens.
    pub(crate) async fn stream(&mut self) -> Replica {
        soon("a stream to the chaincode", self.streams.recv()).await.unwrap()
    }

    /// The same, registered.
    pub(crate) async fn replica(&mut self) -> Replica {
        let mut replica = self.stream().await;
        replica.register().await;
        replica
    }

    /// Whether a stream was opened that [`Self::stream`] did not give yet.
    pub(crate) fn was_called(&self) -> bool {
        !self.streams.is_empty()
    }
}

type Sockets = Arc<Mutex<Vec<TcpStream>>>;

/// `protos.Chaincode`.
#[derive(Clone)]
struct Chaincode {
    arrived: mpsc::UnboundedSender<Replica>,
    sockets: Sockets,
}

impl NamedService for Chaincode {
    const NAME: &'static str = "protos.Chaincode";
}

impl Service<http::Request<Body>> for Chaincode {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert_eq!(request.uri().path(), "/protos.Chaincode/Connect");
        // One connection at a time is made in these tests.
        let socket = self.sockets.lock().unwrap().pop().expect("it came on a connection");
        let (replica, body) = Replica::called(request.into_body(), socket);
        let mut response = http::Response::new(body);
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, "application/grpc".parse().unwrap());
        // A test that ended asks for no more streams.
        let _ = self.arrived.send(replica);
        Box::pin(std::future::ready(Ok(response)))
    }
}
