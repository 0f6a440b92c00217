//! The one stream to the peer: connection, registration, and its two directions.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::either::Either;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tower::service_fn;

use crate::codec::FrameCodec;
use crate::credentials::{CredentialsError, PeerAddress, PeerCredentials};
use crate::frame::{Frame, Type};
use crate::limits::Limits;
use crate::pongs::{LatePongs, Traffic};
use crate::transport;

const REGISTER: PathAndQuery = PathAndQuery::from_static("/protos.ChaincodeSupport/Register");

/// Messages queued for the peer; what comes after them waits, and so do the replicas.
const QUEUE: usize = 1024;

/// The peer refuses clients that ping more than once a minute (core.yaml,
/// `chaincode` server keepalive: `internal/pkg/comm/config.go`, `ServerMinInterval`).
const PING_INTERVAL: Duration = Duration::from_secs(90);

/// Why there is no link to the peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerLinkError {
    #[error("the peer's address {address} is no address of a server")]
    Address { address: String, source: tonic::transport::Error },
    #[error("the credentials that the peer gave cannot be used")]
    Credentials(#[from] CredentialsError),
    #[error("cannot connect to the peer at {address}")]
    Connect { address: String, source: tonic::transport::Error },
    #[error("cannot connect to the peer at {address}: nothing came of it for {seconds} s")]
    ConnectUnanswered { address: String, seconds: f32 },
    #[error("the peer at {address} ended the registration: {reason}")]
    Refused { address: String, reason: String },
    #[error(
        "the peer at {address} did not accept the registration within {seconds} s (it accepts one only while it launches the chaincode)"
    )]
    Unanswered { address: String, seconds: f32 },
}

/// A peer to which a chaincode can be linked.
pub(crate) struct PeerEndpoint {
    address: PeerAddress,
    endpoint: Endpoint,
    tls: Option<Tls>,
    limits: Limits,
}

/// TLS, and whom the peer's certificate must be for.
#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// The registered stream.
pub(crate) struct PeerLink {
    /// What goes to the peer.
    pub(crate) outbound: mpsc::Sender<Frame>,
    /// What comes from it.
    pub(crate) inbound: Streaming<Frame>,
    /// The peer's READY.
    pub(crate) ready: Frame,
}

impl PeerEndpoint {
    pub(crate) fn new(
        address: PeerAddress,
        credentials: Option<&PeerCredentials>,
        limits: Limits,
    ) -> Result<Self, PeerLinkError> {
        // The scheme as tonic sees it: TLS is below, in `dial`.
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|source| PeerLinkError::Address { address: address.to_string(), source })?
            .initial_stream_window_size(transport::WINDOW)
            .initial_connection_window_size(transport::WINDOW)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(Duration::from_secs(20));
        let tls =
            credentials.map(|credentials| Tls::new(credentials, address.host())).transpose()?;
        Ok(Self { address, endpoint, tls, limits })
    }

    /// Connects, so that the registration later is one round trip.
    pub(crate) async fn connect(&self, traffic: &Traffic) -> Result<Channel, PeerLinkError> {
        let address = || self.address.to_string();
        // Not the endpoint's own limit, which ends with TCP and leaves TLS unbounded.
        let (peer, tls, traffic) = (self.address.clone(), self.tls.clone(), traffic.clone());
        let connector = service_fn(move |_| dial(peer.clone(), tls.clone(), traffic.clone()));
        let connected = self.endpoint.connect_with_connector(connector);
        match timeout(self.limits.registration, connected).await {
            Ok(connected) => {
                connected.map_err(|source| PeerLinkError::Connect { address: address(), source })
            }
            Err(_) => Err(PeerLinkError::ConnectUnanswered {
                address: address(),
                seconds: self.limits.registration.as_secs_f32(),
            }),
        }
    }

    /// Registers the chaincode and waits for the peer's READY.
    pub(crate) async fn register(
        &self,
        channel: Channel,
        package_id: &str,
    ) -> Result<PeerLink, PeerLinkError> {
        match timeout(self.limits.registration, self.handshake(channel, package_id)).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(status)) => Err(PeerLinkError::Refused {
                address: self.address.to_string(),
                reason: transport::describe(&status),
            }),
            Err(_) => Err(PeerLinkError::Unanswered {
                address: self.address.to_string(),
                seconds: self.limits.registration.as_secs_f32(),
            }),
        }
    }

    async fn handshake(&self, channel: Channel, package_id: &str) -> Result<PeerLink, Status> {
        let (outbound, queue) = mpsc::channel(QUEUE);
        // The queue is empty: there is room.
        let _ = outbound.try_send(Frame::register(package_id));
        let mut grpc = Grpc::new(channel)
            .max_decoding_message_size(self.limits.message)
            .max_encoding_message_size(self.limits.message);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(ReceiverStream::new(queue));
        let mut inbound = grpc.streaming(request, REGISTER, FrameCodec).await?.into_inner();
        expect(&mut inbound, Type::Registered).await?;
        let ready = expect(&mut inbound, Type::Ready).await?;
        Ok(PeerLink { outbound, inbound, ready })
    }
}

impl Tls {
    fn new(credentials: &PeerCredentials, host: &str) -> Result<Self, CredentialsError> {
        let connector = TlsConnector::from(Arc::new(credentials.client_config()?));
        let name = ServerName::try_from(host.to_owned())
            .map_err(|source| CredentialsError::Host(host.into(), source))?;
        Ok(Self { connector, name })
    }
}

/// A connection on which HTTP/2 can be spoken.
async fn dial(
    address: PeerAddress,
    tls: Option<Tls>,
    traffic: Traffic,
) -> io::Result<TokioIo<LatePongs<Either<TcpStream, TlsStream<TcpStream>>>>> {
    let tcp = TcpStream::connect((address.host(), address.port())).await?;
    tcp.set_nodelay(true)?;
    let stream = match tls {
        None => Either::Left(tcp),
        Some(Tls { connector, name }) => Either::Right(connector.connect(name, tcp).await?),
    };
    Ok(TokioIo::new(LatePongs::new(stream, traffic)))
}

async fn expect(inbound: &mut Streaming<Frame>, kind: Type) -> Result<Frame, Status> {
    let frame =
        inbound.message().await?.ok_or_else(|| Status::unavailable("the stream was closed"))?;
    if frame.kind() == Some(kind) {
        return Ok(frame);
    }
    let got = frame.kind().map_or("an unknown type", |kind| kind.as_str_name());
    Err(Status::failed_precondition(format!("expected {}, got {got}", kind.as_str_name())))
}
