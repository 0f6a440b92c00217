//! A chaincode for tests, as a source tree and packed.

use std::fs;
use std::path::Path;

use crafted::{Crafted, gzip, package, tar};

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

/// Code that is fine, and more entries.
fn good(more: Vec<Crafted>) -> Vec<Crafted> {
    let good = vec![Crafted::file("src/go.mod", GO_MOD), Crafted::file("src/main.go", MAIN_GO)];
    good.into_iter().chain(more).collect()
}

/// The same, packed.
pub(crate) fn code(more: Vec<Crafted>) -> Vec<u8> {
    gzip(&tar(good(more)))
}

/// A package of it.
pub(crate) fn package_of(more: Vec<Crafted>) -> Vec<u8> {
    package(METADATA, good(more))
}

/// A package of it, with one entry more.
pub(crate) fn package_with(entry: Crafted) -> Vec<u8> {
    package_of(vec![entry])
}
