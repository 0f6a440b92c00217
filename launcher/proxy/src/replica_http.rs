//! HTTP/2 with a replica, whichever of the two has dialled.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use h2::server::{self, SendResponse};
use h2::{PingPong, RecvStream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tonic::Status;

use crate::client::ClientHttp;
use crate::identity::Identity;
use crate::keepalive::Probe;
use crate::pongs::LatePongs;
use crate::stream::{Body, Outbound, Outgoing};
use crate::tether::{Fate, Tether};
use crate::transport::{self, GRPC, NARROW_WINDOW, REGISTER, WIDE_WINDOW};

/// HTTP/2 with a replica that has dialled.
pub(crate) type AcceptedHttp = server::Connection<LatePongs<TlsStream<TcpStream>>, Outgoing>;

/// A connection with a replica, where that is, and what it has shown.
pub(crate) struct Connected {
    pub(crate) http: ReplicaHttp,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) identity: Identity,
}

/// The two directions of a stream.
pub(crate) type Directions = (Body, Outbound);

/// HTTP/2 with a replica.
pub(crate) enum ReplicaHttp {
    /// The replica has dialled, and opens streams.
    Accepted(Box<AcceptedHttp>, PingPong),
    /// The proxy has dialled, and has opened the one stream.
    Dialled(Box<Dialled>),
}

/// A connection that the proxy has made.
pub(crate) struct Dialled {
    pub(crate) http: ClientHttp,
    /// Until it was asked for.
    pub(crate) stream: Option<Directions>,
    /// How large a stream's window is said to be.
    pub(crate) window: u32,
    pub(crate) tether: Tether,
}

impl ReplicaHttp {
    pub(crate) fn accepted(mut http: AcceptedHttp) -> Self {
        let pings = http.ping_pong().expect("nobody else has taken the pings");
        Self::Accepted(Box::new(http), pings)
    }

    pub(crate) fn dialled(http: ClientHttp, stream: Directions, tether: Tether) -> Self {
        let (stream, window) = (Some(stream), NARROW_WINDOW);
        Self::Dialled(Box::new(Dialled { http, stream, window, tether }))
    }

    /// Reads and writes what can be without waiting. The next new stream, or why there will be
    /// nothing more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Directions, String>> {
        let closed = || Poll::Ready(Err("its connection was closed".to_owned()));
        let broken = |error| Poll::Ready(Err(transport::broken(&error)));
        match self {
            Self::Accepted(http, _) => loop {
                match ready!(http.poll_accept(cx)) {
                    Some(Ok((request, respond))) => {
                        if let Some(stream) = admit(request, respond) {
                            return Poll::Ready(Ok(stream));
                        }
                    }
                    Some(Err(error)) => return broken(error),
                    None => return closed(),
                }
            },
            Self::Dialled(dialled) => {
                if let Some(stream) = dialled.stream.take() {
                    return Poll::Ready(Ok(stream));
                }
                match ready!(Pin::new(&mut dialled.http).poll(cx)) {
                    Ok(()) => closed(),
                    Err(error) => broken(error),
                }
            }
        }
    }

    /// Lets a replica send more at once, which has registered; whether that was said.
    pub(crate) fn widen(&mut self) -> bool {
        // Fails only while an earlier change is not acknowledged.
        match self {
            Self::Accepted(http, _) => {
                http.set_target_window_size(WIDE_WINDOW);
                http.set_initial_window_size(WIDE_WINDOW).is_ok()
            }
            Self::Dialled(dialled) => {
                dialled.tether.tell(Fate::Registered);
                dialled.window = WIDE_WINDOW;
                dialled.http.set_target_window_size(WIDE_WINDOW);
                dialled.http.set_initial_window_size(WIDE_WINDOW).is_ok()
            }
        }
    }

    /// Has the connection end as soon as what is there for the replica was sent, and it has taken
    /// notice.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Accepted(http, _) => http.graceful_shutdown(),
            // A client's ends by itself with its last stream.
            Self::Dialled(_) => {}
        }
    }

    /// Who is told that a replica did not register, if it was dialled: who dials it again.
    pub(crate) fn tether(&self) -> Option<&Tether> {
        match self {
            Self::Accepted(..) => None,
            Self::Dialled(dialled) => Some(&dialled.tether),
        }
    }
}

impl Probe for ReplicaHttp {
    fn ask(&mut self) -> bool {
        match self {
            Self::Accepted(_, pings) => pings.ask(),
            Self::Dialled(dialled) => dialled.ask(),
        }
    }

    fn is_answered(&mut self) -> bool {
        match self {
            Self::Accepted(_, pings) => pings.is_answered(),
            Self::Dialled(dialled) => dialled.is_answered(),
        }
    }
}

/// A server of Go's or Java's shim ends a connection on which its client pings more often than once
/// a minute (`shim/internal/server.go`, `serverMinInterval`). SETTINGS are no ping, and have to be
/// acknowledged as soon as possible all the same (RFC 9113, section 6.5.3): so it is told again
/// what it knows. h2 takes no further ones as long as some are unacknowledged.
impl Probe for Dialled {
    fn ask(&mut self) -> bool {
        let _ = self.http.set_initial_window_size(self.window);
        true
    }

    fn is_answered(&mut self) -> bool {
        self.http.set_initial_window_size(self.window).is_ok()
    }
}

/// The stream, if the call is one that a chaincode makes; if not, it is answered.
fn admit(request: Request<RecvStream>, mut respond: SendResponse<Outgoing>) -> Option<Directions> {
    if let Err(refusal) = check(&request) {
        // A stream that is gone already needs no answer.
        let _ = respond.send_response(refusal, true);
        return None;
    }
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    let outbound = respond.send_response(response, false).ok()?;
    Some((request.into_body().into(), Outbound::of_server(outbound)))
}

/// Whether the call is one that a chaincode makes; if not, the answer.
fn check(request: &Request<RecvStream>) -> Result<(), Response<()>> {
    if request.method() != Method::POST {
        return Err(plain(StatusCode::METHOD_NOT_ALLOWED));
    }
    if !is_grpc(request.headers().get(header::CONTENT_TYPE)) {
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    if request.uri().path() != REGISTER {
        return Err(Status::unimplemented("only chaincode registers here").into_http());
    }
    let encoding = request.headers().get("grpc-encoding");
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Status::unimplemented("compressed messages are not taken").into_http());
    }
    Ok(())
}

fn plain(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

/// `application/grpc`, with or without what the messages are written in.
fn is_grpc(content_type: Option<&HeaderValue>) -> bool {
    let rest = content_type.and_then(|value| value.as_bytes().strip_prefix(GRPC.as_bytes()));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;
    use tokio_util::either::Either;

    use super::*;
    use crate::client::{call, method};
    use crate::tether::tether;
    use crate::transport::CONNECT;

    /// Longer than it takes on any machine.
    const LIMIT: Duration = Duration::from_secs(30);

    /// Both ends of a connection that was dialled, and its stream; the server has not looked at it yet.
    async fn connection() -> (ReplicaHttp, Directions, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let socket = TcpStream::connect(&address).await.unwrap();
        let io = LatePongs::new(Either::Left(socket));
        let (mut requests, http) = h2::client::Builder::new().handshake(io).await.unwrap();
        let call = call(method(&address, None, CONNECT).unwrap());
        let (answer, outbound) = requests.send_request(call, false).unwrap();
        let stream = (Body::from(answer), Outbound::of_client(outbound));
        let mut http = ReplicaHttp::dialled(http, stream, tether().0);
        let Poll::Ready(Ok(stream)) = http.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it has one stream");
        };
        (http, stream, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_server_is_asked_without_pings_and_answers() {
        let (mut http, _stream, socket) = connection().await;
        let server = tokio::spawn(async move {
            let mut server = h2::server::handshake(socket).await.unwrap();
            let _call = server.accept().await.unwrap().unwrap();
            server.accept().await.is_none()
        });
        for _ in 0..3 {
            assert!(http.ask());
            let answered = poll_fn(|cx| {
                assert!(http.poll(cx).is_pending());
                if http.is_answered() { Poll::Ready(()) } else { Poll::Pending }
            });
            timeout(LIMIT, answered).await.unwrap();
        }
        server.abort();
    }

    #[tokio::test]
    async fn one_that_hangs_does_not_answer() {
        let (mut http, _stream, _hanging) = connection().await;
        assert!(http.ask());
        let is_answered = poll_fn(|cx| {
            assert!(http.poll(cx).is_pending());
            Poll::Ready(http.is_answered())
        });
        assert!(!is_answered.await);
    }
}
