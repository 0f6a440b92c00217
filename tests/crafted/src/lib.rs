//! Archives and packages that no well-meant tool writes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::Header;

pub use tar::EntryType;

/// An entry with any name, even one that a well-meant writer would refuse.
#[derive(Debug)]
pub struct Crafted {
    header: Header,
    content: Vec<u8>,
}

impl Crafted {
    /// An entry of any type.
    ///
    /// # Panics
    ///
    /// When the name is too long for a header: [`Crafted::named`] is for those.
    pub fn new(name: &str, kind: EntryType, content: impl Into<Vec<u8>>) -> Self {
        assert!(name.len() <= 100, "{name} does not fit into a header");
        let content = content.into();
        let mut header = Header::new_gnu();
        // Not by the crate's own method, which refuses the names that are wanted here.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_mtime(0);
        Self { header, content }
    }

    /// A file.
    pub fn file(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::new(name, EntryType::Regular, content)
    }

    /// A directory.
    pub fn directory(name: &str) -> Self {
        Self::new(name, EntryType::Directory, "")
    }

    /// A symbolic or hard link.
    ///
    /// # Panics
    ///
    /// When the target does not fit into a header.
    pub fn link(name: &str, kind: EntryType, target: &str) -> Self {
        let mut entry = Self::new(name, kind, "");
        entry.header.set_link_name_literal(target).expect("a target that fits");
        entry
    }

    /// What gives the next entry a name of any length, as GNU's tar writes it.
    pub fn named(name: &str) -> Self {
        Self::new("././@LongLink", EntryType::GNULongName, name)
    }

    /// What gives the next entry other fields, as POSIX' tar writes it.
    pub fn pax(fields: &[(&str, &str)]) -> Self {
        let records: Vec<String> = fields.iter().map(|(key, value)| record(key, value)).collect();
        Self::new("pax", EntryType::XHeader, records.concat())
    }

    /// The entry with another header.
    #[must_use]
    pub fn changed(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }
}

/// `LENGTH KEY=VALUE\n`, whose length is that of all of it.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// A tar of these entries, with two blocks of zeros at its end.
///
/// # Panics
///
/// Never: it is made in memory.
pub fn tar(entries: impl IntoIterator<Item = Crafted>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for mut entry in entries {
        entry.header.set_cksum();
        archive.append(&entry.header, entry.content.as_slice()).expect("it goes to memory");
    }
    archive.into_inner().expect("it goes to memory")
}

/// The content as a gzip file.
///
/// # Panics
///
/// Never: it is made in memory.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("it goes to memory");
    encoder.finish().expect("it goes to memory")
}

/// A package of this metadata around these entries of its code.
pub fn package(metadata: &str, code: impl IntoIterator<Item = Crafted>) -> Vec<u8> {
    package_around(metadata, gzip(&tar(code)))
}

/// A package of this metadata around a `code.tar.gz`.
pub fn package_around(metadata: &str, code: impl Into<Vec<u8>>) -> Vec<u8> {
    gzip(&tar([Crafted::file("metadata.json", metadata), Crafted::file("code.tar.gz", code)]))
}

/// A tar of one file of `chunks` times 16 MiB of zeros, compressed. Gzip files may be joined, so
/// the zeros are compressed only once.
pub fn zeros(name: &str, chunks: usize) -> Vec<u8> {
    const CHUNK: usize = 16 << 20;
    let mut header = Crafted::file(name, "").header;
    header.set_size((chunks * CHUNK) as u64);
    header.set_cksum();
    let chunk = gzip(&vec![0; CHUNK]);
    let end = gzip(&[0; 1024]);
    [gzip(header.as_bytes()), chunk.repeat(chunks), end].concat()
}
