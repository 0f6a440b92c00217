//! Names from archives, made fit for a terminal.

use super::bounds::MAX_PATH_BYTES;

/// A name fit for a terminal and for one line: at most [`MAX_PATH_BYTES`] characters.
pub(crate) fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.chars().flat_map(char::escape_debug).take(MAX_PATH_BYTES).collect()
}
