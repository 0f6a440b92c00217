//! Source trees and archives made for one test each.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

pub(crate) const GO_MOD: &str = "module example.com/asset\n\ngo 1.21\n";
pub(crate) const MAIN_GO: &str =
    "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello from chaincode\") }\n";
pub(crate) const INDEX: &str = r#"{"index":{"fields":["owner"]},"type":"json"}"#;
pub(crate) const METADATA: &str =
    r#"{"path":"example.com/asset","type":"golang","label":"basic_1.0"}"#;

/// Writes files below `root`, making directories on the way.
pub(crate) fn tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A small chaincode with an index.
pub(crate) fn chaincode(root: &Path) {
    tree(
        root,
        &[
            ("go.mod", GO_MOD),
            ("main.go", MAIN_GO),
            ("META-INF/statedb/couchdb/indexes/owner.json", INDEX),
        ],
    );
}

/// An entry with any name, even one that a well-meant writer would refuse.
pub(crate) struct Crafted {
    header: Header,
    content: Vec<u8>,
}

impl Crafted {
    pub(crate) fn new(name: &str, kind: EntryType, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_mtime(0);
        Self { header, content }
    }

    pub(crate) fn file(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::new(name, EntryType::Regular, content)
    }

    pub(crate) fn link(name: &str, kind: EntryType, target: &str) -> Self {
        let mut entry = Self::new(name, kind, "");
        entry.header.set_link_name_literal(target).unwrap();
        entry
    }

    pub(crate) fn changed(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }
}

pub(crate) fn tar(entries: Vec<Crafted>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for mut entry in entries {
        entry.header.set_cksum();
        archive.append(&entry.header, entry.content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A package around the given entries of its code.
pub(crate) fn package(metadata: &str, code: Vec<Crafted>) -> Vec<u8> {
    let code = gzip(&tar(code));
    gzip(&tar(vec![Crafted::file("metadata.json", metadata), Crafted::file("code.tar.gz", code)]))
}

/// Code that is fine, and one entry more.
pub(crate) fn package_with(entry: Crafted) -> Vec<u8> {
    let code =
        vec![Crafted::file("src/go.mod", GO_MOD), Crafted::file("src/main.go", MAIN_GO), entry];
    package(METADATA, code)
}

/// A tar of one file of `chunks` times 16 MiB of zeros, compressed. Gzip files may be joined, so
/// the zeros are compressed only once.
pub(crate) fn zeros(name: &str, chunks: usize) -> Vec<u8> {
    const CHUNK: usize = 16 << 20;
    let mut header = Crafted::file(name, "").header;
    header.set_size((chunks * CHUNK) as u64);
    header.set_cksum();
    let chunk = gzip(&vec![0; CHUNK]);
    let end = gzip(&[0; 1024]);
    [gzip(header.as_bytes()), chunk.repeat(chunks), end].concat()
}
