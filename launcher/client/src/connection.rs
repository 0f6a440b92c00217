//! One HTTP/2 connection, for tonic to make its calls on.
//!
//! tonic's own channel reconnects, balances and buffers; one call on one
//! connection needs none of it, and half the memory without.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    http::{Request, Response},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::{body::Body, codegen::Service};

/// Bytes that the launcher may send of a call ahead of us.
const STREAM_WINDOW: u32 = 16 * 1024;

/// Bytes that it may send ahead of us in all. Never reached with one call at a
/// time; it is there because h2 ends a connection on which small frames wait
/// unread ("too many data frames"): each of `n` bytes counts as 256 - `n`, and
/// together they may count as half this window. A stream window of the smallest
/// messages, 5 bytes each, counts as 0.8 MiB.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// Bytes that we hold for the launcher to take.
const SEND_BUFFER: usize = 64 * 1024;

/// How long the connection may be quiet until we ask whether the launcher lives,
/// and how long the answer may take. Generous: a launcher that the node starves
/// for some seconds still keeps the chaincode's link to the peer.
const QUIET: Duration = Duration::from_secs(20);

/// The connection; its driver runs as a task for as long as there is a call.
#[derive(Clone)]
pub struct Connection(SendRequest<Body>);

impl Connection {
    /// Speaks HTTP/2 on a connected socket.
    pub(crate) async fn over(
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> hyper::Result<Self> {
        let (requests, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(QUIET)
            .keep_alive_timeout(QUIET)
            .handshake(TokioIo::new(socket))
            .await?;
        // Its end and its error reach the calls on it.
        tokio::spawn(driver);
        Ok(Self(requests))
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
