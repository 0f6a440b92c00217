//! What is shown on a terminal, and in which colours.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Prints to standard output; colours only reach a terminal. A reader that has seen enough, such
/// as `head`, is no error.
pub(crate) fn show(text: &str) -> io::Result<()> {
    show_while_read(text).map(drop)
}

/// The same; whether there is somebody who may read on.
pub(crate) fn show_while_read(text: &str) -> io::Result<bool> {
    let mut output = anstream::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// How many characters fit beside each other, if standard output is a terminal.
pub(crate) fn width() -> Option<u16> {
    size().map(|(width, _)| width)
}

/// How many characters fit beside each other, and how many lines below each other, if standard output
/// is a terminal.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(terminal_size::Width(width), terminal_size::Height(height))| (width, height))
}

/// How much of a digest tells it from all others that there are.
const SHORT: usize = 12;

/// A package ID, or an image with a digest, or a key, that is only as long as a person needs it.
pub(crate) fn shortened(text: &str) -> &str {
    let begin = text.rfind(':').map_or(0, |colon| colon + 1);
    text.get(..begin + SHORT).unwrap_or(text)
}

/// What others have written, for one line: none of it is to move a terminal's cursor.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}

/// JSON, on several lines, in which others have written: what it says stays the same.
pub(crate) fn plain_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        // JSON lets pass what was no control character to those who made it: that of C1, and what
        // turns the direction of writing.
        let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character != '\n' && (character.is_control() || turns) {
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}
