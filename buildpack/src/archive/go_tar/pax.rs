//! What an extended header says of the next entry (`parsePAX` and `mergePAX` in
//! `src/archive/tar/reader.go`).

use std::collections::BTreeMap;
use std::io;

use super::header::{Header, invalid};

/// Records by their key; of two the last one counts.
#[derive(Debug, Default)]
pub(super) struct Pax(BTreeMap<Vec<u8>, Vec<u8>>);

/// The map of a sparse file in its oldest form, a record for each number.
const SPARSE_NUMBERS: [&[u8]; 2] = [b"GNU.sparse.offset", b"GNU.sparse.numbytes"];

/// The same in one record.
const SPARSE_MAP: &[u8] = b"GNU.sparse.map";

impl Pax {
    pub(super) fn parse(mut content: &[u8]) -> io::Result<Self> {
        let mut records = BTreeMap::new();
        let mut map: Vec<Vec<u8>> = Vec::new();
        while !content.is_empty() {
            let (key, value, rest) = record(content).ok_or_else(invalid)?;
            content = rest;
            if !SPARSE_NUMBERS.contains(&key) {
                records.insert(key.to_vec(), value.to_vec());
            } else if SPARSE_NUMBERS[map.len() % 2] == key && !value.contains(&b',') {
                map.push(value.to_vec());
            } else {
                return Err(invalid());
            }
        }
        if !map.is_empty() {
            records.insert(SPARSE_MAP.to_vec(), map.join(&b','));
        }
        Ok(Self(records))
    }

    /// A record's text; empty when there is none.
    pub(super) fn text(&self, key: &str) -> &[u8] {
        self.0.get(key.as_bytes()).map_or(&[], Vec::as_slice)
    }

    /// A record's number; none when there is no record.
    pub(super) fn number(&self, key: &str) -> io::Result<Option<i64>> {
        match self.text(key) {
            [] => Ok(None),
            text => decimal(text).map(Some).ok_or_else(invalid),
        }
    }

    /// Puts in the header what the records say otherwise.
    pub(super) fn apply(&self, header: &mut Header) -> io::Result<()> {
        if let name @ [_, ..] = self.text("path") {
            header.name = name.to_vec();
        }
        if let link @ [_, ..] = self.text("linkpath") {
            header.link = link.to_vec();
        }
        if let Some(size) = self.number("size")? {
            header.size = size;
        }
        self.check()
    }

    /// What means nothing here must be numbers and times nevertheless.
    pub(super) fn check(&self) -> io::Result<()> {
        self.number("size")?;
        self.number("uid")?;
        self.number("gid")?;
        let times = ["atime", "ctime", "mtime"].map(|key| self.text(key));
        if times.iter().all(|time| time.is_empty() || is_time(time)) {
            Ok(())
        } else {
            Err(invalid())
        }
    }
}

/// The first record, `LENGTH KEY=VALUE\n`, and what follows it.
fn record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&content[..space])?).ok()?;
    if length < 5 || length > content.len() || length <= space + 1 {
        return None;
    }
    let (record, rest) = content.split_at(length);
    let record = record[space + 1..].strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    let text = match key {
        b"path" | b"linkpath" | b"uname" | b"gname" => value,
        _ => key,
    };
    (!key.is_empty() && !text.contains(&0)).then_some((key, value, rest))
}

/// Seconds, and digits behind a point.
fn is_time(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let seconds = parts.next().and_then(decimal);
    seconds.is_some() && parts.next().unwrap_or_default().iter().all(u8::is_ascii_digit)
}

pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_go_reads_them() {
        let pax = Pax::parse(b"14 path=a/b\nx\n12 path=c/d\n13 mtime=1.5\n").unwrap();
        assert_eq!(pax.text("path"), b"c/d");
        for content in [
            &b"12 path=c/d"[..],
            b"99 path=c/d\n",
            b"path=c/d\n",
            b"6 a=bc\n",
            b"6 =bc\n",
            b"9 path=\0\n",
            b"-5 a=b\n",
        ] {
            assert!(Pax::parse(content).is_err(), "{content:?}");
        }
    }
}
