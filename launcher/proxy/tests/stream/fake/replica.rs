//! A replica of the chaincode, which may send whatever bytes it likes.

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::{Channel as ChannelBody, Sender};
use hyper_util::rt::TokioIo;
use selvedge_proxy::{Frame, Type};
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Status, Streaming};
use tower::{Service, ServiceExt};

use super::authority::Identity;
use super::codec::FrameCodec;
use super::message::{self, CHANNEL};
use super::{PACKAGE, soon};

const LIMIT: usize = 100 << 20;

/// A connected replica. Dropping it ends its stream in good order.
pub(crate) struct Replica {
    /// `None` once it has closed its side of the stream.
    outbound: Option<Sender<Bytes, Status>>,
    inbound: Streaming<Frame>,
    socket: TcpStream,
}

impl Replica {
    /// One whose stream the proxy has opened, with this body: the body of its answer.
    pub(super) fn called(request: Body, socket: TcpStream) -> (Self, Body) {
        let (outbound, body) = ChannelBody::<Bytes, Status>::new(16);
        let inbound = Streaming::new_request(FrameCodec, request, None, Some(LIMIT));
        (Self { outbound: Some(outbound), inbound, socket }, Body::new(body))
    }

    /// Opens a stream to the proxy, verified against `root`. What fails is told.
    pub(crate) async fn connect(
        proxy: SocketAddr,
        root: &str,
        identity: Option<&Identity>,
    ) -> Result<Self, String> {
        let socket = TcpStream::connect(proxy).unwrap();
        let mut channel = channel(proxy, root, identity, &socket).await.map_err(debug)?;
        let (outbound, body) = ChannelBody::<Bytes, Status>::new(16);
        let request = http::Request::post("/protos.ChaincodeSupport/Register")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(body))
            .unwrap();
        let call = async { channel.ready().await?.call(request).await };
        let response = soon("the proxy's answer", call).await.map_err(debug)?;
        if let Some(status) = Status::from_header_map(response.headers()) {
            return Err(status.to_string());
        }
        let (parts, body) = response.into_parts();
        let inbound = Streaming::new_response(FrameCodec, body, parts.status, None, Some(LIMIT));
        Ok(Self { outbound: Some(outbound), inbound, socket })
    }

    /// Registers as the package that it should be.
    pub(crate) async fn register(&mut self) {
        self.say(&Frame::register(PACKAGE)).await;
    }

    pub(crate) async fn say(&mut self, frame: &Frame) {
        self.say_raw(message::grpc(frame.bytes())).await;
    }

    /// Says something of a transaction on the usual channel.
    pub(crate) async fn tell(&mut self, kind: Type, txid: &str) {
        self.say(&message::on(CHANNEL, kind, txid, b"from the replica")).await;
    }

    /// Sends bytes as they are. A proxy that has cut the replica off takes none.
    pub(crate) async fn say_raw(&mut self, bytes: Bytes) {
        let outbound = self.outbound.as_mut().expect("its side is open");
        let _ = outbound.send_data(bytes).await;
    }

    /// Closes its side of the stream.
    pub(crate) fn close(&mut self) {
        self.outbound = None;
    }

    /// Waits, without reading, until nothing that it says is taken any more.
    pub(crate) async fn dropped(&mut self) {
        let outbound = self.outbound.as_mut().expect("its side is open");
        let request = message::grpc(message::of(Type::GetState, "tx", &[0; 1 << 10]).bytes());
        let dropped = async { while outbound.send_data(request.clone()).await.is_ok() {} };
        soon("the end of what it can say", dropped).await;
    }

    /// Closes its side of the stream with a status, which a client has no business to do.
    pub(crate) async fn close_with(&mut self, status: &Status) {
        let mut trailers = http::HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        let mut outbound = self.outbound.take().expect("its side is open");
        outbound.send_trailers(trailers).await.unwrap();
    }

    /// Its process is killed: the connection is gone without a word.
    ///
    /// A connection that the proxy has reset before is gone already.
    pub(crate) fn kill(&self) {
        match self.socket.shutdown(Shutdown::Both) {
            Err(error) if error.kind() == std::io::ErrorKind::NotConnected => {}
            outcome => outcome.unwrap(),
        }
    }

    /// Waits for the end of its connection, whose stream has ended.
    pub(crate) async fn disconnected(&self) {
        // What nobody takes any more is in the way.
        let is_open = || match (&self.socket).read(&mut [0; 1 << 10]) {
            Ok(bytes) => bytes > 0,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        };
        let disconnected = async {
            while is_open() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon("the end of the replica's connection", disconnected).await;
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Frame {
        let next = soon("a message to the replica", self.inbound.message()).await;
        next.expect("the replica's stream broke").expect("the replica's stream ended")
    }

    /// The next message; `None` when its stream has ended, in whatever way.
    pub(crate) async fn hear(&mut self) -> Option<Frame> {
        self.inbound.message().await.ok().flatten()
    }

    /// The next message, which must be of this type and transaction.
    pub(crate) async fn expect(&mut self, kind: Type, txid: &str) -> Frame {
        let frame = self.next().await;
        let what = (frame.kind(), frame.transaction().txid());
        assert_eq!(what, (Some(kind), txid.to_owned()));
        frame
    }

    /// How the stream ends, whatever was said before.
    pub(crate) async fn end(&mut self) -> Result<(), Status> {
        soon("the end of the replica's stream", async {
            while self.inbound.message().await?.is_some() {}
            Ok(())
        })
        .await
    }
}

/// A connection over `socket`.
async fn channel(
    proxy: SocketAddr,
    root: &str,
    identity: Option<&Identity>,
    socket: &TcpStream,
) -> Result<Channel, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(root));
    if let Some(Identity { certificate, key }) = identity {
        tls = tls.identity(tonic::transport::Identity::from_pem(certificate, key));
    }
    let mut copy = Some(socket.try_clone().unwrap());
    let connector = tower::service_fn(move |_: http::Uri| {
        let socket = copy.take().ok_or(std::io::ErrorKind::NotConnected);
        async move {
            let socket = socket?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(tokio::net::TcpStream::from_std(socket)?))
        }
    });
    let endpoint = Endpoint::from_shared(format!("https://{proxy}"))?.tls_config(tls)?;
    soon("a connection to the proxy", endpoint.connect_with_connector(connector)).await
}

fn debug(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
