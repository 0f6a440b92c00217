//! The registered stream to the peer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::PingPong;
use tokio::time::Instant;

use crate::client::ClientHttp;
use crate::frame::Frame;
use crate::keepalive::{Keepalive, Sign};
use crate::stream::{End, Inbound, Outbound};
use crate::switch::Switch;
use crate::transport;
use crate::wakes::Source;

/// The peer refuses clients that ping more than once a minute (core.yaml,
/// `chaincode` server keepalive: `internal/pkg/comm/config.go`, `ServerMinInterval`).
const PING_INTERVAL: Duration = Duration::from_secs(90);

/// How long the peer may take to answer one.
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// How many messages are taken from the peer before the replicas have their turn.
const TURN: usize = 64;

/// HTTP/2 with the peer, polled for as long as it lives.
pub(crate) struct PeerHttp {
    connection: ClientHttp,
    lost: Option<String>,
}

impl PeerHttp {
    pub(crate) fn new(connection: ClientHttp) -> Self {
        Self { connection, lost: None }
    }

    /// Reads and writes what can be without waiting; why the connection has ended, if it has.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<&str> {
        if self.lost.is_none()
            && let Poll::Ready(end) = Pin::new(&mut self.connection).poll(cx)
        {
            let closed = "it was closed".to_owned();
            self.lost = Some(end.map_or_else(|error| transport::broken(&error), |()| closed));
        }
        self.lost.as_deref()
    }

    /// The next message of a stream. h2 tells the streams of a read that failed, but nothing of a
    /// write: the connection alone ends then.
    pub(crate) fn poll_frame(&self, inbound: &mut Inbound) -> Poll<Result<Frame, End>> {
        match (inbound.poll_frame(), &self.lost) {
            (Poll::Pending, Some(reason)) => Poll::Ready(Err(End::Broken(reason.clone()))),
            (read, _) => read,
        }
    }
}

/// The stream to the peer, registered and ready.
pub(crate) struct PeerLink {
    http: PeerHttp,
    inbound: Inbound,
    outbound: Outbound,
    pings: PingPong,
    keepalive: Keepalive,
    /// What goes to the peer next, when it has room.
    next: Option<Frame>,
    is_closed: bool,
}

impl PeerLink {
    pub(crate) fn new(mut http: PeerHttp, inbound: Inbound, outbound: Outbound) -> Self {
        let pings = http.connection.ping_pong().expect("nobody else has taken the pings");
        let keepalive = Keepalive::new(PING_INTERVAL, PING_PATIENCE, PING_PATIENCE);
        Self { http, inbound, outbound, pings, keepalive, next: None, is_closed: false }
    }

    /// Reads and writes all that can be without waiting; why the stream has ended, if it has.
    pub(crate) fn poll(&mut self, source: &Source, switch: &mut Switch) -> Option<String> {
        self.send(switch);
        // To send is to wake the connection, whose turn it is anyway.
        source.take();
        self.http.poll(&mut Context::from_waker(source.waker()));
        if self.next.is_some() {
            self.send(switch);
        }
        for _ in 0..TURN {
            match self.http.poll_frame(&mut self.inbound) {
                Poll::Ready(Ok(frame)) => switch.peer_says(frame),
                Poll::Ready(Err(end)) => return Some(reason(end)),
                Poll::Pending => {
                    if self.inbound.take_heard() {
                        self.keepalive.heard();
                    }
                    return None;
                }
            }
        }
        source.waker().wake_by_ref();
        None
    }

    /// Hands the switch's messages to HTTP/2, as far as there is room.
    fn send(&mut self, switch: &mut Switch) {
        while let Some(frame) = self.next.take().or_else(|| switch.take_for_peer()) {
            if !self.outbound.has_room() {
                self.next = Some(frame);
                break;
            }
            self.outbound.send(&frame);
        }
        self.outbound.flush();
    }

    /// Whether the peer has to read before more can be sent.
    pub(crate) fn is_held_up(&self) -> bool {
        self.next.is_some()
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.keepalive.next()
    }

    /// Why the peer is to be taken for dead, if it is.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<String> {
        let Some(Sign::Dead(silence)) = self.keepalive.tick(now, &mut self.pings) else {
            return None;
        };
        let reason = format!("it did not answer a ping for {} s", silence.as_secs());
        Some(self::reason(End::Broken(reason)))
    }

    /// Sends what is left and closes the stream; ready when the peer has closed it too.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>, switch: &mut Switch) -> Poll<()> {
        loop {
            self.send(switch);
            if !self.is_held_up() && !self.is_closed {
                self.outbound.close();
                self.is_closed = true;
            }
            self.http.poll(cx);
            while let Poll::Ready(read) = self.http.poll_frame(&mut self.inbound) {
                if read.is_err() {
                    return Poll::Ready(());
                }
            }
            if !self.is_held_up() || !self.outbound.has_room() {
                return Poll::Pending;
            }
        }
    }
}

fn reason(end: End) -> String {
    match end {
        End::Closed => "the peer ended the stream".to_owned(),
        End::Broken(reason) | End::Breach(reason) => {
            format!("the stream to the peer broke: {reason}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use h2::client;
    use http::{Request, Response};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::either::Either;

    use super::*;
    use crate::figures::Figures;
    use crate::limits::Limits;
    use crate::pongs::LatePongs;
    use crate::wakes::Wakes;

    /// A peer that takes a stream, and resets its connection when it is dropped.
    async fn serve(listener: TcpListener) {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_zero_linger().unwrap();
        let mut http = h2::server::handshake(socket).await.unwrap();
        let (_register, mut respond) = http.accept().await.unwrap().unwrap();
        let _stream = respond.send_response(Response::new(()), false).unwrap();
        http.accept().await;
    }

    async fn link(peer: SocketAddr) -> PeerLink {
        let tcp = TcpStream::connect(peer).await.unwrap();
        let io = LatePongs::new(Either::Left(tcp));
        let (mut requests, connection) = client::Builder::new().handshake(io).await.unwrap();
        let mut http = PeerHttp::new(connection);
        let request = Request::post("http://peer/").body(()).unwrap();
        let (mut response, outbound) = requests.send_request(request, false).unwrap();
        let response = std::future::poll_fn(|cx| {
            assert_eq!(http.poll(cx), None);
            Pin::new(&mut response).poll(cx)
        });
        let inbound = Inbound::new(response.await.unwrap().into_body(), 1 << 10);
        PeerLink::new(http, inbound, Outbound::of_client(outbound))
    }

    #[tokio::test]
    async fn a_write_that_fails_is_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut peer = Box::pin(serve(listener));
        let mut link = tokio::select! {
            () = &mut peer => panic!("the peer ended"),
            link = link(address) => link,
        };
        let source = Wakes::default().source();
        let mut switch =
            Switch::new("basic_1.0:ab12".into(), Limits::default(), Figures::default());
        assert_eq!(link.poll(&source, &mut switch), None);
        // The runtime has no turn to learn of it: what is written next meets it first.
        drop(peer);
        switch.peer_says(Frame::keepalive());
        let end = (0..3).find_map(|_| link.poll(&source, &mut switch));
        assert_eq!(end.as_deref(), Some("the stream to the peer broke: the connection broke off"));
    }
}
