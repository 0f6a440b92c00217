//! The beginning of a text that somebody else wrote.

/// The first `limit` characters of a text, with a mark where more followed. What a replica wrote
/// is told to others once per transaction in flight: it must stay short.
pub(crate) fn excerpt(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(excerpt("äöü".into(), 3), "äöü");
        assert_eq!(excerpt("äöü".into(), 2), "äö…");
    }
}
