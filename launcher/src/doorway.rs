//! HTTP/1.1 served to who is not trusted: to so many at once, each of whom says soon what it wants,
//! and wants one thing.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::fs::File;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_stream::StreamExt;
use tokio_util::io::ReaderStream;
use tracing::{debug, warn};

/// How long a client may take to say what it wants.
const FIRST_WORDS: Duration = Duration::from_secs(10);

/// A pause after a connection could not be accepted: for lack of file descriptors, mostly.
const BREATH: Duration = Duration::from_millis(100);

/// What is read of a file at once, in bytes.
const CHUNK: usize = 64 << 10;

/// What is answered.
pub(crate) type Content = BoxBody<Bytes, io::Error>;

/// Serves so many `connections` at once, for ever.
pub(crate) async fn serve<A, B>(
    listener: TcpListener,
    connections: usize,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
) where
    A: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(connections));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, from)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve_one(stream, answer).await {
                        debug!(%from, %error, "a connection ended early");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(BREATH).await;
            }
        }
    }
}

async fn serve_one<A, B>(
    stream: TcpStream,
    answer: impl Fn(Request<Incoming>) -> A,
) -> hyper::Result<()>
where
    A: Future<Output = Response<B>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(FIRST_WORDS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// A few words.
pub(crate) fn said(status: StatusCode, words: &str) -> Response<Content> {
    let mut response = Response::new(whole(Bytes::copy_from_slice(words.as_bytes())));
    *response.status_mut() = status;
    response
}

/// What is in memory.
pub(crate) fn whole(bytes: Bytes) -> Content {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// A file from where it stands, which is as long as it is now; `look` is asked before each piece of
/// it, and may end it.
pub(crate) async fn file(
    file: File,
    look: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<Response<Content>> {
    let size = file.metadata().await?.len();
    let chunks = ReaderStream::with_capacity(file, CHUNK);
    let frames = chunks.map(move |chunk| look().and(chunk).map(Frame::data));
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(frames)));
    response.headers_mut().insert(http::header::CONTENT_LENGTH, size.into());
    Ok(response)
}
