//! Lines for the peer's log: how they are written to stderr.
//!
//! The peer reads stderr with a Go `bufio.Scanner`, which gives up for good at a
//! line over 64 KiB, and then the pipe fills and a writer blocks
//! (`core/container/externalbuilder/session.go`). So long lines are split, and
//! the writing is left to a thread: a stalled peer can not hold up a SIGTERM.
//!
//! What chaincode writes is not trusted: control characters and the characters
//! that reorder text are escaped, so that no chaincode can forge a line of its
//! peer's log or colour a terminal.

use std::{
    error::Error,
    io::{self, Write as _},
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time,
};

/// Bytes of a line at most, well under the 64 KiB at which the peer's reader stops.
const LINE_LIMIT: usize = 60 * 1024;

/// Messages that wait for the peer to read; then the sender is held up.
const QUEUE: usize = 16;

/// What the last lines get to reach the peer.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Stderr, written by a thread of its own.
pub(crate) struct Lines {
    queue: mpsc::Sender<Vec<u8>>,
    written: oneshot::Receiver<()>,
}

impl Lines {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, mut pending) = mpsc::channel::<Vec<u8>>(QUEUE);
        let (done, written) = oneshot::channel();
        thread::Builder::new().name("stderr".into()).stack_size(64 * 1024).spawn(move || {
            while let Some(text) = pending.blocking_recv() {
                // The peer is gone: nobody is left to tell.
                if io::stderr().write_all(&text).is_err() {
                    break;
                }
            }
            let _ = done.send(());
        })?;
        Ok(Self { queue, written })
    }

    /// Waits until there is room for a message: before one is taken from the launcher.
    pub(crate) async fn room(&self) {
        let _ = self.queue.reserve().await;
    }

    /// Writes a message; it is dropped when there is no room and nobody reads.
    pub(crate) fn say(&self, text: &str) {
        let _ = self.queue.try_send(printable(text));
    }

    /// Writes the reason for a failure as the last line, and waits a moment for
    /// all lines to be written.
    pub(crate) async fn finish(self, failure: Option<&(dyn Error + 'static)>) {
        let Self { queue, written } = self;
        let last_words = async move {
            if let Some(error) = failure {
                let _ = queue.send(printable(&chain(error))).await;
            }
            drop(queue);
            let _ = written.await;
        };
        let _ = time::timeout(LAST_WORDS, last_words).await;
    }
}

/// Writes a message at once; for the executables that wait for nobody.
pub(crate) fn write(text: &str) {
    let _ = io::stderr().write_all(&printable(text));
}

/// An error with its causes, as one text.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The text as lines that the peer's log can take.
fn printable(text: &str) -> Vec<u8> {
    let text = text.trim_end_matches(['\r', '\n']);
    let mut lines = String::with_capacity(text.len() + 1);
    let mut start = 0;
    for character in text.chars() {
        let before = lines.len();
        if is_deceptive(character) {
            lines.extend(character.escape_default());
        } else {
            lines.push(character);
        }
        if lines.len() - start > LINE_LIMIT {
            lines.insert(before, '\n');
            start = before + 1;
        }
    }
    lines.push('\n');
    lines.into_bytes()
}

/// Whether a character would end a line, move the cursor, or reorder the text.
fn is_deceptive(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::{LINE_LIMIT, printable};

    #[test]
    fn long_lines_are_split_between_characters() {
        let text = "é".repeat(LINE_LIMIT);
        let lines = String::from_utf8(printable(&text)).unwrap();
        assert!(lines.lines().all(|line| line.len() <= LINE_LIMIT));
        assert_eq!(lines.replace('\n', ""), text);
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn a_line_can_not_pass_for_two() {
        let lines = printable("fine\nERRO forged\x1b[31m\u{2028}\u{202e}\ttab\r\n");
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "fine\\nERRO forged\\u{1b}[31m\\u{2028}\\u{202e}\ttab\n"
        );
    }
}
