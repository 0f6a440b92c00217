//! The end of a request that is refused: what its client is still sending is taken and let go, within
//! bounds. A connection that is closed with bytes unread is reset, and the answer lost with it
//! (RFC 9112, 9.6).

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use crate::fault::Fault;

/// How much is let go at most, in bytes. Who says that more is to come is answered at once.
const MOST: usize = 8 << 20;

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a request, once its client can hear it.
pub(super) async fn heard<T>(
    done: Result<T, Fault>,
    rest: BodyDataStream,
    headers: &HeaderMap,
) -> Result<T, Fault> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if done.is_err() && length.is_none_or(|length: usize| length <= MOST) {
        let _ = timeout(PATIENCE, let_go(rest)).await;
    }
    done
}

async fn let_go(mut rest: BodyDataStream) {
    let mut left = MOST;
    while let Some(Ok(chunk)) = rest.next().await
        && chunk.len() < left
    {
        left -= chunk.len();
    }
}
