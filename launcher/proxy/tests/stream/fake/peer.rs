//! A peer's chaincode listener. It holds what arrives to the rules by which a
//! real one ends the stream (Fabric's `core/chaincode/handler.go`).

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::Message;
use selvedge_proto::fabric::{ChaincodeId, ChaincodeMessage};
use selvedge_proxy::{Frame, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use tower::Service;

use super::authority::Authority;
use super::codec::FrameCodec;
use super::message::{self, CHANNEL};
use super::{PACKAGE, soon};

const LIMIT: usize = 100 << 20;

/// A listening peer.
pub(crate) struct Peer {
    pub(crate) port: u16,
    streams: mpsc::UnboundedReceiver<PeerStream>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Peer {
    /// Listens; with TLS as `host`, taking clients of the same authority only.
    pub(crate) async fn listen(tls: Option<(&Authority, &str)>) -> Self {
        let mut server = Server::builder();
        if let Some((authority, host)) = tls {
            let identity = authority.host(host);
            let config = ServerTlsConfig::new()
                .identity(Identity::from_pem(identity.certificate, identity.key))
                .client_ca_root(Certificate::from_pem(&authority.root));
            server = server.tls_config(config).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (arrived, streams) = mpsc::unbounded_channel();
        let server = tokio::spawn(async move {
            let incoming = TcpIncoming::from(listener);
            server.serve_with_incoming(ChaincodeSupport(arrived), incoming).await.unwrap();
        });
        Self { port, streams, server }
    }

    /// The next stream that someone opens.
    pub(crate) async fn stream(&mut self) -> PeerStream {
        soon("a stream to the peer", self.streams.recv()).await.unwrap()
    }

    /// Whether a stream was opened that [`Self::stream`] did not give yet.
    pub(crate) fn was_asked(&self) -> bool {
        !self.streams.is_empty()
    }
}

/// A peer's end of the chaincode's stream.
pub(crate) struct PeerStream {
    outbound: mpsc::Sender<Result<Frame, Status>>,
    inbound: Streaming<Frame>,
    /// The transactions that the chaincode may speak for.
    open: HashSet<(String, String)>,
}

impl PeerStream {
    /// Takes the registration, which must be the right one, and says that it is ready.
    pub(crate) async fn accept(&mut self) {
        self.expect_register().await;
        self.say(Frame::registered()).await;
        self.say(message::ready()).await;
    }

    pub(crate) async fn expect_register(&mut self) {
        let first = soon("REGISTER", self.inbound.message()).await.unwrap().unwrap();
        assert_eq!(first.kind(), Some(Type::Register));
        let registered = ChaincodeId::decode(&message::payload(&first)[..]).unwrap();
        assert_eq!(registered.name, PACKAGE);
    }

    pub(crate) async fn say(&self, frame: Frame) {
        self.outbound.send(Ok(frame)).await.unwrap();
    }

    /// Ends the stream as a failed call.
    pub(crate) async fn refuse(self, reason: &str) {
        self.outbound.send(Err(Status::unknown(reason))).await.unwrap();
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&mut self, txid: &str) {
        self.begin_on(CHANNEL, txid).await;
    }

    pub(crate) async fn begin_on(&mut self, channel: &str, txid: &str) {
        self.begin_with(message::on(channel, Type::Transaction, txid, b"args")).await;
    }

    pub(crate) async fn begin_with(&mut self, frame: Frame) {
        let key = frame.transaction();
        self.open.insert((key.channel(), key.txid()));
        self.say(frame).await;
    }

    /// The next message, which must be one that a peer puts up with.
    pub(crate) async fn next(&mut self) -> Frame {
        let next = soon("a message to the peer", self.inbound.message()).await;
        let frame = next.expect("the stream to the peer broke").expect("the peer's stream ended");
        self.check(&frame);
        frame
    }

    /// The next message, which must be of this type and transaction.
    pub(crate) async fn expect(&mut self, kind: Type, txid: &str) -> Frame {
        let frame = self.next().await;
        let what = (frame.kind(), frame.transaction().txid());
        assert_eq!(what, (Some(kind), txid.to_owned()), "{}", text(&frame));
        frame
    }

    /// The text of the next message, which must be an ERROR for the transaction.
    pub(crate) async fn error(&mut self, txid: &str) -> String {
        text(&self.expect(Type::Error, txid).await)
    }

    /// How the stream ends, with nothing said before.
    pub(crate) async fn end(&mut self) -> Result<(), Status> {
        match soon("the end of the peer's stream", self.inbound.message()).await {
            Ok(Some(frame)) => panic!("the peer was told {:?}: {}", frame.kind(), text(&frame)),
            Ok(None) => Ok(()),
            Err(status) => Err(status),
        }
    }

    fn check(&mut self, frame: &Frame) {
        ChaincodeMessage::decode(&frame.bytes()[..]).expect("the peer cannot decode this");
        let kind = frame.kind().expect("the peer does not know this type");
        assert!((6..=25).contains(&i32::from(kind)) && kind != Type::Response, "{kind:?}");
        let key = (frame.transaction().channel(), frame.transaction().txid());
        let known = match kind {
            Type::Keepalive => true,
            Type::Completed | Type::Error => self.open.remove(&key),
            _ => self.open.contains(&key),
        };
        assert!(known, "{kind:?} for {key:?}, which is not open");
    }
}

fn text(frame: &Frame) -> String {
    String::from_utf8_lossy(&message::payload(frame)).into_owned()
}

/// `protos.ChaincodeSupport`.
#[derive(Clone)]
struct ChaincodeSupport(mpsc::UnboundedSender<PeerStream>);

impl NamedService for ChaincodeSupport {
    const NAME: &'static str = "protos.ChaincodeSupport";
}

impl Service<http::Request<Body>> for ChaincodeSupport {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert_eq!(request.uri().path(), "/protos.ChaincodeSupport/Register");
        let mut grpc =
            Grpc::new(FrameCodec).max_decoding_message_size(LIMIT).max_encoding_message_size(LIMIT);
        let arrived = self.0.clone();
        let register = tower::service_fn(move |request: Request<Streaming<Frame>>| {
            let (outbound, queue) = mpsc::channel(16);
            let inbound = request.into_inner();
            // A test that ended asks for no more streams.
            let _ = arrived.send(PeerStream { outbound, inbound, open: HashSet::new() });
            std::future::ready(Ok::<_, Status>(Response::new(ReceiverStream::new(queue))))
        });
        Box::pin(async move { Ok(grpc.streaming(register, request).await) })
    }
}
