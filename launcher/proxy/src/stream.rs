//! The two directions of one gRPC stream, straight on HTTP/2.
//!
//! Who polls the connection polls its streams right after: only then they can
//! have something new. So nothing here is woken, and every poll is done with a
//! waker that does nothing.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::buf::Chain;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use tonic::Status;

use crate::deframer::{Deframer, FramingError, PREFIX};
use crate::frame::Frame;
use crate::memory::{Memory, Share};
use crate::transport;

/// How much of the connection's window a stream keeps for itself, in bytes: many small
/// messages, but no more than a quarter of the smallest window that is usual (64 KiB - 1), so
/// that each of four streams has its share.
const RESERVE: usize = 16_000;

/// Up to how many bytes a message is copied to those before it, so that they make one DATA frame:
/// a Go receiver takes some microseconds for each frame.
const SMALL: usize = 2 << 10;

/// How much is put together at most, in bytes: what fits in a DATA frame of usual size
/// (RFC 9113, section 6.5.2, `SETTINGS_MAX_FRAME_SIZE`).
const TOGETHER: usize = 16 << 10;

/// Up to how many bytes a message is read without asking for memory: as much as HTTP/2 keeps of
/// what is not read.
const SHORT: usize = 256 << 10;

/// What is handed to HTTP/2: small messages with their prefixes and the prefix of a large one,
/// then the large one's bytes as they came.
pub(crate) type Outgoing = Chain<Bytes, Bytes>;

/// Why no more messages come.
#[derive(Debug)]
pub(crate) enum End {
    /// The other side has closed its direction in good order.
    Closed,
    /// It broke, or the other side gave up on it.
    Broken(String),
    /// What came is no message.
    Breach(String),
}

/// What messages are read from.
pub(crate) enum Body {
    /// It is there.
    Coming(RecvStream),
    /// It comes with the server's answer, which a chaincode gives with its first message.
    Awaited(ResponseFuture),
}

impl From<RecvStream> for Body {
    fn from(body: RecvStream) -> Self {
        Self::Coming(body)
    }
}

impl From<ResponseFuture> for Body {
    fn from(answer: ResponseFuture) -> Self {
        Self::Awaited(answer)
    }
}

impl Body {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<&mut RecvStream, End>> {
        if let Self::Awaited(answer) = self {
            let answer = ready!(Pin::new(answer).poll(cx));
            let (head, body) = answer.map_err(|error| broken(&error))?.into_parts();
            if head.status != StatusCode::OK {
                let reason = format!("it answered with HTTP status {}", head.status);
                return Poll::Ready(Err(End::Broken(reason)));
            }
            if let reason @ End::Broken(_) = end(head.headers) {
                return Poll::Ready(Err(reason));
            }
            *self = Self::Coming(body);
        }
        match self {
            Self::Coming(body) => Poll::Ready(Ok(body)),
            Self::Awaited(_) => Poll::Pending,
        }
    }
}

/// What comes from the other side.
pub(crate) struct Inbound {
    body: Body,
    deframer: Deframer,
    /// Where the memory for long messages comes from; the peer's are not counted.
    memory: Option<Memory>,
    /// What was taken of it for the message that is coming.
    share: Option<Share>,
    /// Something came since [`Self::take_heard`].
    heard: bool,
    /// When a part of the message came that is coming.
    heard_amidst: Option<Instant>,
}

impl Inbound {
    /// Reads messages of up to `limit` bytes.
    pub(crate) fn new(body: impl Into<Body>, limit: usize) -> Self {
        let (body, deframer) = (body.into(), Deframer::new(limit));
        Self { body, deframer, memory: None, share: None, heard: false, heard_amidst: None }
    }

    /// The same, with the long messages kept in a memory that others share.
    pub(crate) fn within(body: Body, limit: usize, memory: Memory) -> Self {
        Self { memory: Some(memory), ..Self::new(body, limit) }
    }

    /// From the next message on, up to `limit` bytes.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.deframer.set_limit(limit);
    }

    /// How many bytes of memory the next message waits for, if there is not enough.
    pub(crate) fn is_starved(&self) -> Option<usize> {
        let memory = self.memory.as_ref()?;
        let length = self.deframer.announced().filter(|length| *length > SHORT)?;
        (self.share.is_none() && memory.free() < length).then_some(length)
    }

    /// Since when nothing more of a long message has come, for which memory is taken.
    pub(crate) fn unfinished_since(&self) -> Option<Instant> {
        self.heard_amidst.filter(|_| self.share.is_some())
    }

    /// Counts the time anew in which nothing more has come.
    pub(crate) fn excuse(&mut self) {
        self.heard_amidst = Some(Instant::now());
    }

    /// Whether there is memory for the message that is coming.
    fn has_memory(&mut self) -> bool {
        let length = self.deframer.announced().filter(|length| *length > SHORT);
        let (Some(length), Some(memory)) = (length, &self.memory) else { return true };
        if self.share.is_none() {
            self.share = memory.take(length);
            self.heard_amidst = Some(Instant::now());
        }
        self.share.is_some()
    }

    /// Whether anything came since the last call.
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// The next message. Ready as long as there is one; not to be called after an end.
    pub(crate) fn poll_frame(&mut self) -> Poll<Result<Frame, End>> {
        let cx = &mut Context::from_waker(Waker::noop());
        loop {
            if let Some(message) = self.deframer.next().map_err(breach)? {
                self.share = None;
                let no_message = |error| End::Breach(format!("not a chaincode message: {error}"));
                return Poll::Ready(Frame::parse(message).map_err(no_message));
            }
            if !self.has_memory() {
                return Poll::Pending;
            }
            let body = ready!(self.body.poll(cx))?;
            match ready!(body.poll_data(cx)) {
                Some(Ok(chunk)) => {
                    self.heard = true;
                    if self.share.is_some() {
                        self.heard_amidst = Some(Instant::now());
                    }
                    // Fails only for more than was taken.
                    let _ = body.flow_control().release_capacity(chunk.len());
                    self.deframer.push(chunk);
                }
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None if self.deframer.is_amidst() => {
                    let reason = "Unexpected EOF amidst a message".to_owned();
                    return Poll::Ready(Err(End::Broken(reason)));
                }
                None => {
                    let end = match ready!(body.poll_trailers(cx)) {
                        Ok(trailers) => trailers.map_or(End::Closed, end),
                        Err(error) => broken(&error),
                    };
                    return Poll::Ready(Err(end));
                }
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn breach(error: FramingError) -> End {
    End::Breach(error.to_string())
}

fn broken(error: &h2::Error) -> End {
    End::Broken(transport::broken(error))
}

/// What headers or trailers say of the call.
pub(crate) fn end(mut headers: HeaderMap) -> End {
    // tonic panics on details that are no base64; nobody reads them here.
    headers.remove("grpc-status-details-bin");
    match Status::from_header_map(&headers) {
        Some(status) if status.code() != tonic::Code::Ok => {
            End::Broken(transport::describe(&status))
        }
        _ => End::Closed,
    }
}

/// Whose direction of a call it is.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

/// What goes to the other side.
pub(crate) struct Outbound {
    side: Side,
    stream: SendStream<Outgoing>,
    /// What is not handed over yet.
    together: BytesMut,
}

impl Outbound {
    /// That of who has called.
    pub(crate) fn of_client(stream: SendStream<Outgoing>) -> Self {
        Self { side: Side::Client, stream, together: BytesMut::new() }
    }

    /// That of who was called.
    pub(crate) fn of_server(stream: SendStream<Outgoing>) -> Self {
        Self { side: Side::Server, stream, together: BytesMut::new() }
    }

    /// Whether the other side reads as much as it is sent: all that was handed over fits in
    /// its windows, and the next message may follow, of whatever length.
    pub(crate) fn has_room(&mut self) -> bool {
        if self.stream.capacity() == 0 {
            self.stream.reserve_capacity(RESERVE);
        }
        self.stream.capacity() > 0
    }

    /// Takes a message, which is on its way after [`Self::flush`].
    pub(crate) fn send(&mut self, frame: &Frame) {
        let bytes = frame.bytes();
        if self.together.len() + PREFIX + bytes.len().min(SMALL) > TOGETHER {
            self.flush();
        }
        self.together.put_u8(0);
        // No message is over the limit, which is a u32 in the prefix.
        self.together.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if bytes.len() <= SMALL {
            self.together.put_slice(bytes);
        } else {
            self.hand_over(bytes.clone());
        }
    }

    /// Hands all messages over; they are written when the connection is polled.
    pub(crate) fn flush(&mut self) {
        if !self.together.is_empty() {
            self.hand_over(Bytes::new());
        }
    }

    fn hand_over(&mut self, large: Bytes) {
        let together = self.together.split().freeze();
        // A stream that is closed says so to who reads it.
        let _ = self.stream.send_data(together.chain(large), false);
    }

    /// Ends a client's direction.
    pub(crate) fn close(&mut self) {
        self.flush();
        let _ = self.stream.send_data(Bytes::new().chain(Bytes::new()), true);
    }

    /// Ends this direction, and with it the call. Who does not read what was sent before is not
    /// told why: h2 would keep all of it for as long as the connection lives. Nor is a server,
    /// since a client has no words for it.
    pub(crate) fn end(&mut self, status: &Status) {
        self.flush();
        let has_room = self.has_room();
        match self.side {
            Side::Server if has_room => {
                let mut trailers = HeaderMap::new();
                // Percent-encoded: every text is a header's value.
                let _ = status.add_header(&mut trailers);
                let _ = self.stream.send_trailers(trailers);
            }
            Side::Client if has_room && status.code() == tonic::Code::Ok => self.close(),
            Side::Server | Side::Client => self.stream.send_reset(Reason::CANCEL),
        }
    }
}
