//! Connections that the proxy makes: to the peer, and to replicas that listen.

use std::io;
use std::sync::Arc;

use h2::client;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Request, Uri};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::either::Either;

use crate::pongs::LatePongs;
use crate::stream::Outgoing;
use crate::transport::GRPC;

/// What a connection runs on.
pub(crate) type Socket = Either<TcpStream, TlsStream<TcpStream>>;

/// HTTP/2 with a server.
pub(crate) type ClientHttp = client::Connection<LatePongs<Socket>, Outgoing>;

/// TLS, and whom the server's certificate must be for.
pub(crate) struct ClientTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl ClientTls {
    pub(crate) fn new(config: ClientConfig, name: ServerName<'static>) -> Self {
        Self { connector: TlsConnector::from(Arc::new(config)), name }
    }
}

/// Connects, and agrees on TLS where there is to be any.
pub(crate) async fn connect(
    address: impl ToSocketAddrs,
    tls: Option<&ClientTls>,
) -> io::Result<Socket> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(match tls {
        None => Either::Left(tcp),
        Some(ClientTls { connector, name }) => {
            Either::Right(connector.connect(name.clone(), tcp).await?)
        }
    })
}

/// The call of a gRPC method, whose messages follow.
pub(crate) fn call(method: Uri) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = method;
    request.headers_mut().insert(CONTENT_TYPE, GRPC);
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// Where a method is called.
pub(crate) fn method(
    authority: &str,
    tls: Option<&ClientTls>,
    path: &str,
) -> Result<Uri, http::Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()
}
