//! Lines out of a stream of bytes that nobody vouches for.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;

/// A line is cut here, in bytes: no terminal shows more, and no log needs it.
const LINE_LIMIT: usize = 16 << 10;

/// Reads lines, without their end; one over the limit is cut into several.
pub(crate) async fn read_lines(output: impl AsyncRead + Unpin, sink: mpsc::Sender<String>) {
    let mut output = BufReader::with_capacity(LINE_LIMIT, output);
    let mut line = Vec::new();
    // A broken pipe is the end, too.
    while let Ok(buffer) = output.fill_buf().await {
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let room = LINE_LIMIT - line.len();
        let taken = end.map_or(buffer.len(), |end| end).min(room);
        line.extend_from_slice(&buffer[..taken]);
        let complete = end == Some(taken);
        output.consume(taken + usize::from(complete));
        if (complete || line.len() == LINE_LIMIT) && send(&mut line, &sink).await.is_err() {
            return;
        }
    }
    if !line.is_empty() {
        let _ = send(&mut line, &sink).await;
    }
}

async fn send(
    line: &mut Vec<u8>,
    sink: &mpsc::Sender<String>,
) -> Result<(), mpsc::error::SendError<String>> {
    let text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    line.clear();
    sink.send(text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<String> {
        let (sink, mut lines) = mpsc::channel(256);
        read_lines(bytes, sink).await;
        let mut read = Vec::new();
        while let Some(line) = lines.recv().await {
            read.push(line);
        }
        read
    }

    #[tokio::test]
    async fn reads_lines_of_any_length_and_end() {
        assert_eq!(lines(b"one\r\ntwo\n\nthree").await, ["one", "two", "", "three"]);
        let long = vec![b'x'; LINE_LIMIT + 3];
        let read = lines(&[&long[..], b"\nnext\n"].concat()).await;
        assert_eq!(
            read.iter().map(String::len).collect::<Vec<_>>(),
            [LINE_LIMIT, 3, 4],
            "cut at the limit"
        );
        let exact = vec![b'y'; LINE_LIMIT];
        assert_eq!(lines(&exact).await.len(), 1);
        assert_eq!(lines(b"\xff\n").await, ["\u{fffd}"]);
    }
}
