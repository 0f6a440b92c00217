//! Packages of chaincode that is served elsewhere: made, read back, and refused before a peer does.

use std::fs;
use std::path::Path;

use crafted::{Crafted, package};
use serde_json::Value;

use crate::{GO_MOD, MAIN_GO, check, names, selvedge};

const INDEX: &str = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"n","type":"json"}"#;
const METADATA: &str = r#"{"type":"ccaas","label":"asset_1.0"}"#;
const PLAIN: &str = r#"{"address":"asset.example.com:9999","dial_timeout":"10s"}"#;

fn tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[test]
fn a_connection_alone_makes_a_package_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    tree(
        &root.join("asset"),
        &[
            ("connection.json", PLAIN),
            ("META-INF/statedb/couchdb/indexes/owner.json", INDEX),
            ("META-INF/statedb/couchdb/indexes/.hidden", ""),
            ("metadata.json", METADATA),
            ("notes/readme.md", ""),
            (".git/config", ""),
        ],
    );
    let told = [
        "type        ccaas\n",
        "served at   asset.example.com:9999, without TLS\n",
        "went in     2 files",
        "  connection.json\n",
        "left out\n  .git/ (hidden)\n  META-INF/statedb/couchdb/indexes/.hidden (hidden)\n",
        "  metadata.json (of no use to a peer that dials a server)\n  notes/ (of no use",
    ];
    check(&selvedge(root, &["package", "asset", "-l", "asset_1.0"]), 0, &told, &[]);
    let told = [
        "type        ccaas\n",
        "served at   asset.example.com:9999, without TLS\n",
        "indexes\n  owner.json (of the public state)\n",
        "nothing speaks against it\n",
    ];
    for more in [&[][..], &["--compile"]] {
        let arguments = [&["inspect", "asset_1.0.tar.gz"], more].concat();
        check(&selvedge(root, &arguments), 0, &told, &[]);
    }

    let arguments = ["package", "asset", "-l", "asset_1.0", "-o", "again.tar.gz", "--json"];
    let written: Value = serde_json::from_slice(&selvedge(root, &arguments).stdout).unwrap();
    let [first, second] =
        ["asset_1.0.tar.gz", "again.tar.gz"].map(|file| fs::read(root.join(file)).unwrap());
    assert!(first == second, "the same source made two packages");
    let server = serde_json::json!({
        "address": "asset.example.com:9999", "dial_timeout": "10s", "protection": "none",
        "wanted": [],
    });
    assert_eq!(written["server"], server);
    let inspected = selvedge(root, &["inspect", "again.tar.gz", "--json"]);
    let report: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(report["server"], server);
    assert_eq!(report["metadata"]["type"], "ccaas");
    assert_eq!(report["files"][1]["path"], "connection.json");
}

#[test]
fn what_each_peer_fills_in_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let templated = r#"{"address":"{{.peername}}_asset:9999","tls_required":true,
        "root_cert":"{{.tls.root}}"}"#;
    tree(&root.join("asset"), &[("connection.json", templated)]);
    let told = [
        "served at   {{.peername}}_asset:9999, with TLS\n",
        "to know\n  connection.json wants `peername`, `tls.root` of CHAINCODE_AS_A_SERVICE_BUILDER_C",
    ];
    check(&selvedge(root, &["package", "asset", "-l", "a"]), 0, &told, &[]);
    check(&selvedge(root, &["inspect", "a.tar.gz"]), 0, &told, &[]);
    let told = "error: the chaincode is served at {{.peername}}_asset:9999, with TLS: Selvedge has";
    check(&selvedge(root, &["render", "a.tar.gz"]), 1, &[], &[told]);
}

#[test]
fn what_no_peer_could_dial_makes_no_package() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for (connection, reason) in [
        (r#"{"address":"asset"}"#, "`address` is \"asset\", which has no port"),
        (r#"{"address":"a:1","tls_required":"true"}"#, "`tls_required` is the text \"true\""),
        ("address: a:1", "it is not a JSON object"),
    ] {
        tree(&root.join("asset"), &[("connection.json", connection)]);
        let told = ["error: asset/connection.json: ", reason];
        check(&selvedge(root, &["package", "asset", "-l", "a"]), 1, &[], &told);

        let by_hand = package(METADATA, [Crafted::file("connection.json", connection)]);
        fs::write(root.join("hand.tar.gz"), by_hand).unwrap();
        let told = [&format!("by Selvedge: connection.json: {reason}")[..]];
        check(&selvedge(root, &["inspect", "hand.tar.gz"]), 1, &told, &[]);
    }
    tree(&root.join("asset"), &[("connection.json", PLAIN), ("META-INF/a.json", INDEX)]);
    let told = ["META-INF/a.json is not of use to a peer"];
    check(&selvedge(root, &["package", "asset", "-l", "a"]), 1, &[], &told);
    assert_eq!(names(root), ["asset", "hand.tar.gz"]);
}

#[test]
fn a_connection_that_is_not_at_the_top_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let by_hand = package(METADATA, [Crafted::file("src/connection.json", PLAIN)]);
    fs::write(root.join("hand.tar.gz"), by_hand).unwrap();
    let told =
        ["by Selvedge: code.tar.gz: the code has no connection.json at its top", "(but src/c"];
    check(&selvedge(root, &["inspect", "hand.tar.gz"]), 1, &told, &[]);
}

/// As Fabric's samples have it: nobody can tell which of the two is meant.
#[test]
fn beside_code_a_connection_is_source_and_that_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let files = [("go.mod", GO_MOD), ("main.go", MAIN_GO), ("connection.json", PLAIN)];
    tree(&root.join("asset"), &files);
    let told =
        ["type        golang\n", "to know\n  connection.json is source here, which no peer r"];
    check(&selvedge(root, &["package", "asset", "-l", "a"]), 0, &told, &[]);
}
