//! Some entries of a jar, found in as much memory as one name takes: the crate `zip` reads all names
//! first, as many as a package cares to have, and the launcher has other chaincodes to keep.
//! (`APPNOTE.TXT` of PKWARE, 4.3; without ZIP64, which jars of under 65,535 entries and 4 GiB do
//! without.)

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::DeflateDecoder;

/// How the end of the directory begins, and how long it is without a comment.
const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;

/// How an entry of the directory begins, and how long it is without the name and what follows it.
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;

/// How an entry itself begins, and how long that is without the name and what follows it.
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;

/// Methods of compression: none, and the one that all have.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    method: u16,
    compressed: u64,
    start: u64,
}

/// The entries of a jar whose names are `wanted`, the first so many.
pub(super) fn find(
    jar: &mut (impl Read + Seek),
    most: usize,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<Vec<Entry>> {
    let directory = Directory::find(jar)?;
    jar.seek(SeekFrom::Start(directory.start))?;
    let mut reader = BufReader::new(jar);
    let mut found = Vec::new();
    for _ in 0..directory.entries {
        let entry = directory.entry(&mut reader)?;
        if wanted(&entry.name) {
            found.push(entry);
            if found.len() == most {
                break;
            }
        }
    }
    Ok(found)
}

/// The content of an entry, of which `most` bytes are read.
pub(super) fn open<'a>(
    jar: &'a mut (impl Read + Seek),
    entry: &Entry,
    most: u64,
) -> io::Result<Box<dyn Read + 'a>> {
    jar.seek(SeekFrom::Start(entry.start))?;
    let header: [u8; LOCAL_BYTES] = header(jar, LOCAL)?;
    let skipped = u64::from(short(&header, 26)) + u64::from(short(&header, 28));
    let beyond = || io::Error::other("an entry lies beyond the end");
    let content = entry.start.checked_add(LOCAL_BYTES as u64 + skipped).ok_or_else(beyond)?;
    jar.seek(SeekFrom::Start(content))?;
    let compressed = jar.take(entry.compressed);
    match entry.method {
        STORED => Ok(Box::new(compressed.take(most))),
        DEFLATED => Ok(Box::new(DeflateDecoder::new(compressed).take(most))),
        other => Err(io::Error::other(format!("an entry is compressed by the method {other}"))),
    }
}

/// Where the directory is.
struct Directory {
    start: u64,
    entries: u16,
    /// What lies before the jar: some begin with a script that starts them.
    before: u64,
}

impl Directory {
    fn find(jar: &mut (impl Read + Seek)) -> io::Result<Self> {
        let no_jar = || io::Error::other("it is no jar");
        let size = jar.seek(SeekFrom::End(0))?;
        let tail = size.min(END_BYTES as u64 + u64::from(u16::MAX));
        jar.seek(SeekFrom::Start(size - tail))?;
        let mut bytes = Vec::new();
        jar.take(tail).read_to_end(&mut bytes)?;
        let place = bytes.windows(END_BYTES).rposition(|end| end.starts_with(END));
        let place = place.ok_or_else(no_jar)?;
        let end = &bytes[place..];
        let (entries, length, offset) = (short(end, 10), long(end, 12), long(end, 16));
        if entries == u16::MAX || [length, offset].contains(&u64::from(u32::MAX)) {
            return Err(io::Error::other("it is a jar in ZIP64"));
        }
        let end = size - tail + place as u64;
        let start = end.checked_sub(length).ok_or_else(no_jar)?;
        let before = start.checked_sub(offset).ok_or_else(no_jar)?;
        Ok(Self { start, entries, before })
    }

    /// The next entry.
    fn entry(&self, reader: &mut impl Read) -> io::Result<Entry> {
        let header: [u8; ENTRY_BYTES] = header(reader, ENTRY)?;
        let mut name = vec![0; usize::from(short(&header, 28))];
        reader.read_exact(&mut name)?;
        let rest = u64::from(short(&header, 30)) + u64::from(short(&header, 32));
        io::copy(&mut reader.take(rest), &mut io::sink())?;
        Ok(Entry {
            name: String::from_utf8_lossy(&name).into_owned(),
            method: short(&header, 10),
            compressed: long(&header, 20),
            start: self.before + long(&header, 42),
        })
    }
}

/// What must begin so.
fn header<const N: usize>(reader: &mut impl Read, beginning: &[u8]) -> io::Result<[u8; N]> {
    let mut header = [0; N];
    reader.read_exact(&mut header)?;
    if header.starts_with(beginning) {
        Ok(header)
    } else {
        Err(io::Error::other("its directory is damaged"))
    }
}

/// The number at a place, of two bytes.
fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The number at a place, of four bytes.
fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(short(bytes, at)) | u64::from(short(bytes, at + 2)) << 16
}

/// Whether a file is called as jars are.
pub(super) fn is_jar(place: &str) -> bool {
    Path::new(place).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jar"))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn jar() -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, method) in [
            ("a.txt", CompressionMethod::Stored),
            ("b.txt", CompressionMethod::Deflated),
            ("other", CompressionMethod::Stored),
        ] {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(name, options).unwrap();
            writer.write_all(format!("the text of {name}").as_bytes()).unwrap();
        }
        writer.set_comment("a comment").unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn texts(jar: Vec<u8>) -> io::Result<Vec<String>> {
        let mut jar = Cursor::new(jar);
        let found = find(&mut jar, 5, |name| name != "other")?;
        let text = |entry: &Entry| {
            let mut text = String::new();
            open(&mut jar, entry, 100)?.read_to_string(&mut text)?;
            Ok(text)
        };
        found.iter().map(text).collect()
    }

    #[test]
    fn what_is_wanted_is_read() {
        let expected = ["the text of a.txt", "the text of b.txt"];
        assert_eq!(texts(jar()).unwrap(), expected);
        let with_a_script = [b"#!/bin/sh\n", jar().as_slice()].concat();
        assert_eq!(texts(with_a_script).unwrap(), expected);
    }

    #[test]
    fn no_more_than_was_asked_for() {
        let mut jar = Cursor::new(jar());
        let found = find(&mut jar, 1, |_| true).unwrap();
        assert_eq!(found.len(), 1);
        let mut text = String::new();
        open(&mut jar, &found[0], 8).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "the text");
    }

    #[test]
    fn what_is_none_and_what_is_damaged() {
        let whole = jar();
        let end = whole.len() - "a comment".len() - END_BYTES;
        let with = |place: usize, bytes: &[u8]| {
            let mut other = whole.clone();
            other[place..place + bytes.len()].copy_from_slice(bytes);
            other
        };
        for (jar, reason) in [
            (b"".to_vec(), "is no jar"),
            (b"PK\x05\x06".to_vec(), "is no jar"),
            (whole[..end].to_vec(), "is no jar"),
            (with(end + 12, &[0xff; 3]), "is no jar"),
            (with(end + 10, &[0xff; 2]), "ZIP64"),
            (with(end + 10, &[9, 0]), "failed to fill whole buffer"),
            (with(0, b"XX"), "is damaged"),
        ] {
            let told = texts(jar).unwrap_err().to_string();
            assert!(told.contains(reason), "{reason}: {told}");
        }
    }
}
