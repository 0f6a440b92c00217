//! One header of a tar archive, as Go takes it apart (`readHeader` in `src/archive/tar/reader.go`).

use std::io;

use crate::archive::go_entry::{GoEntry, GoKind};

pub(super) const BLOCK: usize = 512;

/// What a header says.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: u8,
    pub(super) size: i64,
    mode: i64,
}

/// Which dialect of tar a header is written in: what is behind the fields that all have.
enum Dialect {
    /// Nothing that is used.
    V7,
    /// A prefix of the name.
    Ustar,
    /// A shorter prefix, and times.
    Star,
    /// Times.
    Gnu,
}

/// What Go has no better word for either.
pub(super) fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "invalid tar header")
}

/// A field's text: it ends at the first zero.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

impl Header {
    pub(super) fn parse(block: &[u8; BLOCK]) -> io::Result<Self> {
        let dialect = dialect(block)?;
        let number = |from: usize, to: usize| number(&block[from..to]).ok_or_else(invalid);
        // Owner, group and time mean nothing here, but must be numbers.
        for (from, to) in [(108, 116), (116, 124), (136, 148)] {
            number(from, to)?;
        }
        let mut header = Self {
            name: text(&block[..100]).to_vec(),
            link: text(&block[157..257]).to_vec(),
            kind: block[156],
            size: number(124, 136)?,
            mode: number(100, 108)?,
        };
        if !matches!(dialect, Dialect::V7) {
            number(329, 337)?;
            number(337, 345)?;
        }
        let prefix = match dialect {
            Dialect::V7 => &[],
            Dialect::Ustar => text(&block[345..500]),
            Dialect::Star => {
                number(476, 488)?;
                number(488, 500)?;
                text(&block[345..476])
            }
            Dialect::Gnu => prefix_of_old_go(block),
        };
        if !prefix.is_empty() {
            header.name = [prefix, b"/", &header.name].concat();
        }
        Ok(header)
    }

    /// Takes the names that other entries gave.
    pub(super) fn rename(&mut self, long_name: Vec<u8>, long_link: Vec<u8>) {
        if !long_name.is_empty() {
            self.name = long_name;
        }
        if !long_link.is_empty() {
            self.link = long_link;
        }
        // The type of an old archive's files, and of its directories.
        if self.kind == 0 {
            self.kind = if self.name.ends_with(b"/") { b'5' } else { b'0' };
        }
    }

    /// Bytes that the entry takes in the archive: links, devices, directories and pipes have none,
    /// whatever their size says.
    pub(super) fn stored(&self) -> io::Result<u64> {
        if matches!(self.kind, b'1'..=b'6') {
            return Ok(0);
        }
        u64::try_from(self.size).map_err(|_| invalid())
    }

    pub(super) fn entry(self) -> GoEntry {
        let kind = match self.kind {
            b'0' => GoKind::File,
            b'1' => GoKind::HardLink(self.link),
            b'2' => GoKind::Symlink(self.link),
            b'5' => GoKind::Directory,
            other => GoKind::Other(other),
        };
        GoEntry {
            name: self.name,
            kind,
            size: u64::try_from(self.size).unwrap_or_default(),
            executable: self.mode & 0o100 != 0,
        }
    }
}

fn dialect(block: &[u8; BLOCK]) -> io::Result<Dialect> {
    let expected = octal(&block[148..156]).ok_or_else(invalid)?;
    let summed = block[..148].iter().chain(b"        ").chain(&block[156..]);
    let unsigned: i64 = summed.clone().map(|byte| i64::from(*byte)).sum();
    let signed: i64 = summed.map(|byte| i64::from(byte.cast_signed())).sum();
    if expected != unsigned && expected != signed {
        return Err(invalid());
    }
    Ok(match (&block[257..263], &block[263..265], &block[508..]) {
        (b"ustar\0", _, b"tar\0") => Dialect::Star,
        (b"ustar\0", ..) => Dialect::Ustar,
        (b"ustar ", b" \0", _) => Dialect::Gnu,
        _ => Dialect::V7,
    })
}

/// GNU's dialect has times where others have a prefix; Go before 1.8 wrote a prefix all the same.
fn prefix_of_old_go(block: &[u8; BLOCK]) -> &[u8] {
    let is_time = |field: &[u8]| field[0] == 0 || number(field).is_some();
    if is_time(&block[345..357]) && is_time(&block[357..369]) {
        return &[];
    }
    let prefix = text(&block[345..500]);
    if prefix.is_ascii() { prefix } else { &[] }
}

/// A number in octal digits, or in bytes if the first bit is set.
fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    // Negative numbers are the complement of positive ones: -a-1 == !a.
    let inverted = if field[0] & 0x40 == 0 { 0 } else { 0xff };
    let mut value = 0_u64;
    for (position, byte) in field.iter().enumerate() {
        let byte = byte ^ inverted;
        let byte = if position == 0 { byte & 0x7f } else { byte };
        if value >> 56 > 0 {
            return None;
        }
        value = value << 8 | u64::from(byte);
    }
    let value = i64::try_from(value).ok()?;
    Some(if inverted == 0 { value } else { !value })
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_filler(byte)) else { return Some(0) };
    let end = field.iter().rposition(|byte| !is_filler(byte)).unwrap_or(start);
    let digits = text(&field[start..=end]);
    let is_octal = !digits.is_empty() && digits.iter().all(|byte| matches!(byte, b'0'..=b'7'));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_octal)?;
    u64::from_str_radix(digits, 8).ok().map(u64::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_ways() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"12\x0034", Some(0o12)),
            (b"+12", None),
            (b"-1", None),
            (b"8", None),
            (b"\x80\0\0\0\0\0\0\x01", Some(1)),
            (b"\xff\xff\xff\xff", Some(-1)),
            (b"\x80\xff\0\0\0\0\0\0\0\0", None),
        ] {
            assert_eq!(number(field), value, "{field:?}");
        }
    }
}
