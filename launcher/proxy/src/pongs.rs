//! Answers an HTTP/2 peer's pings late, since a Go peer pings after what it reads.
//!
//! To guess its bandwidth grpc-go sends a PING when DATA arrives and none of its
//! pings is unanswered (`internal/transport/bdp_estimator.go`). An exchange of
//! small messages is then half pings: for each message one more read, write and
//! wake-up at both ends. An answer that waits a little makes them few. The guess
//! only says how large the windows are to be, and a slow answer does not lower it;
//! a keepalive has 20 s.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long an answer waits: in traffic of a thousand calls a second few of them meet one.
const WAIT: Duration = Duration::from_millis(100);

/// Length 8, type PING, flag ACK, stream 0 (RFC 9113, section 6.7); then 8 bytes of the ping's own.
const PONG_HEADER: [u8; 9] = [0, 0, 8, 6, 1, 0, 0, 0, 0];
const PONG: usize = PONG_HEADER.len() + 8;

/// A connection on which HTTP/2 is spoken: what is written to it are frames.
pub(crate) struct LatePongs<S> {
    stream: S,
    /// The end of an answer that is not yet written.
    pong: Vec<u8>,
    due: Pin<Box<Sleep>>,
    /// All that was to be written is: what comes next is the beginning of a frame.
    between_frames: bool,
}

impl<S> LatePongs<S> {
    pub(crate) fn new(stream: S) -> Self {
        let due = Box::pin(sleep(WAIT));
        Self { stream, pong: Vec::with_capacity(PONG), due, between_frames: true }
    }

    /// Keeps the bytes if they begin with an answer; how many that are.
    fn keep(&mut self, bytes: &[u8]) -> Option<usize> {
        let is_pong = self.between_frames && bytes.starts_with(&PONG_HEADER);
        // One at a time: more are no guess at the bandwidth.
        let pong = bytes.get(..PONG).filter(|_| is_pong && self.pong.is_empty())?;
        self.pong.extend_from_slice(pong);
        self.due.as_mut().reset(Instant::now() + WAIT);
        Some(PONG)
    }
}

impl<S: AsyncWrite + Unpin> LatePongs<S> {
    /// Writes the answer that is due; ready when another frame may follow.
    fn poll_pong(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waits = self.pong.len() == PONG
            && (!self.between_frames || self.due.as_mut().poll(cx).is_pending());
        while !waits && !self.pong.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pong))?;
            self.pong.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LatePongs<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LatePongs<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pong(cx))?;
        if let Some(kept) = slices.first().and_then(|first| self.keep(first)) {
            return Poll::Ready(Ok(kept));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.between_frames = written == slices.iter().map(|slice| slice.len()).sum::<usize>();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pong(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const DATA: &[u8] = &[0, 0, 3, 0, 0, 0, 0, 0, 1, b'a', b'b', b'c'];

    fn pong() -> Vec<u8> {
        [&PONG_HEADER[..], b"bandwdth"].concat()
    }

    fn connection(capacity: usize) -> (LatePongs<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(capacity);
        (LatePongs::new(ours), theirs)
    }

    async fn arrived(theirs: &mut DuplexStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        theirs.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_and_what_follows_does_not() {
        let (mut ours, mut theirs) = connection(1024);
        let began = Instant::now();
        ours.write_all(&[&pong()[..], DATA].concat()).await.unwrap();
        ours.flush().await.unwrap();
        assert_eq!(arrived(&mut theirs, DATA.len()).await, DATA);
        assert_eq!(began.elapsed(), Duration::ZERO);
        // Nobody writes: the connection's owner is woken to flush.
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut ours).poll_flush(cx).is_ready());
            if ours.pong.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(began.elapsed() >= WAIT);
        assert_eq!(arrived(&mut theirs, PONG).await, pong());
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_is_never_split_by_an_answer_nor_taken_for_one() {
        let (mut ours, mut theirs) = connection(9);
        // The frame's content looks like an answer, and its header is all that fits at first.
        let frame = [&[0, 0, 17, 0, 0, 0, 0, 0, 1][..], &pong()].concat();
        ours.write_all(&pong()).await.unwrap();
        let writing = async {
            ours.write_all(&frame).await.unwrap();
            ours
        };
        let reading = async {
            tokio::time::sleep(WAIT * 2).await;
            arrived(&mut theirs, frame.len()).await
        };
        let (mut ours, read) = tokio::join!(writing, reading);
        assert_eq!(read, frame);
        let (flushed, read) = tokio::join!(ours.flush(), arrived(&mut theirs, PONG));
        flushed.unwrap();
        assert_eq!(read, pong());
    }
}
