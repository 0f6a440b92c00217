//! Which part of a blob is asked for (RFC 9110, "Range Requests").

use std::ops::RangeInclusive;

use http_range_header::parse_range_header;

/// What of a blob is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    All,
    /// The bytes from the first to the last of these.
    Part(RangeInclusive<u64>),
    /// What it has not.
    Nothing,
}

impl Wanted {
    /// By the header `Range`, of a blob of so many bytes. Who asks for several parts at once gets all,
    /// as the RFC allows.
    pub(crate) fn of(header: Option<&str>, size: u64) -> Self {
        let Some(header) = header else { return Self::All };
        if !header.trim_start().starts_with("bytes=") {
            return Self::All;
        }
        let parts = parse_range_header(header).and_then(|ranges| ranges.validate(size));
        match parts {
            Ok(mut parts) if parts.len() == 1 => Self::Part(parts.remove(0)),
            Ok(_) => Self::All,
            Err(_) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_blob() {
        let of = |header| Wanted::of(Some(header), 2048);
        assert_eq!(Wanted::of(None, 2048), Wanted::All);
        for (header, part) in [
            ("bytes=500-1499", 500..=1499),
            ("bytes=500-", 500..=2047),
            ("bytes=-500", 1548..=2047),
            ("bytes=2000-5000", 2000..=2047),
            ("bytes=0-0", 0..=0),
        ] {
            assert_eq!(of(header), Wanted::Part(part), "{header}");
        }
        for header in ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=a-b", "bytes="] {
            assert_eq!(of(header), Wanted::Nothing, "{header}");
        }
        assert_eq!(of("bytes=0-1,5-6"), Wanted::All);
        assert_eq!(of("lines=0-1"), Wanted::All);
        assert_eq!(Wanted::of(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
