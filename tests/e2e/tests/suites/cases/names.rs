//! Names in archives as people's tools write them: dots and slashes, a Mac's shadows, backslashes.

use std::fs;

use crafted::{Crafted, gzip, tar};

use super::workshop::{Workshop, metadata, program};
use super::{STAGE, installs, the_build_refuses, the_peer_refuses};

const INDEXES: &str = "META-INF/statedb/couchdb/indexes";
const INDEX: &str = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"owner","type":"json"}"#;

/// The head of an `AppleDouble` file: magic, version, filler, no entries.
const APPLE: &[u8] = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x00";

/// As `tar -czf x.tgz ./metadata.json ./code.tar.gz` and `tar -czf x.tgz .` name the files.
#[test]
fn dot_slash_outside_is_refused_by_the_peer() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let files = || {
        let code = gzip(&tar(program("src/")));
        vec![
            Crafted::file("./metadata.json", metadata("dot_1.0")),
            Crafted::file("./code.tar.gz", code),
        ]
    };
    let outer = workshop.crafted("outer", gzip(&tar(files())));
    workshop.inspect(&outer).refuses(&["by the peer", "metadata.json"]);
    the_peer_refuses(&turn, &outer, "did not find a code package");

    let with_directory = [vec![Crafted::directory("./")], files()].into_iter().flatten();
    let with_directory = workshop.crafted("directory", gzip(&tar(with_directory)));
    workshop.inspect(&with_directory).refuses(&["by the peer", "./: is a directory"]);
    the_peer_refuses(&turn, &with_directory, "regular file");
}

#[test]
fn dot_slash_inside_is_taken() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let directories = ["./", "./src/"].map(Crafted::directory);
    let code = directories.into_iter().chain(program("./src/"));
    let package = workshop.crafted("inner", crafted::package(&metadata("inner_1.0"), code));
    workshop.inspect(&package).is_fine(&["nothing speaks against it"]);
    installs(&turn, &package);
}

/// macOS' tar writes a `._name` beside each file with extended attributes. A peer skips hidden
/// files of META-INF (`core/chaincode/platforms/util/writer.go`).
#[test]
fn a_macs_shadows_become_no_index() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let shadow = |name: &str| Crafted::file(name, APPLE);
    let index = || Crafted::file(&format!("{INDEXES}/owner.json"), INDEX);
    let beside_the_index = [shadow(&format!("{INDEXES}/._owner.json")), index()];
    let only = crafted::package(
        &metadata("apple_1.0"),
        program("src/").into_iter().chain(beside_the_index),
    );
    let everywhere = [
        shadow("._src"),
        shadow("src/._main.go"),
        shadow("src/._go.mod"),
        shadow("._META-INF"),
        shadow("META-INF/._statedb"),
        shadow(&format!("{INDEXES}/._owner.json")),
        index(),
    ];
    let code = gzip(&tar(program("src/").into_iter().chain(everywhere)));
    let everywhere = gzip(&tar([
        shadow("._metadata.json"),
        shadow("._code.tar.gz"),
        Crafted::file("metadata.json", metadata("apple_2.0")),
        Crafted::file("code.tar.gz", code),
    ]));
    for (name, package) in [("apple_1.0", only), ("apple_2.0", everywhere)] {
        let package = workshop.crafted(name, package);
        workshop.inspect(&package).is_fine(&["owner.json (of the public state)"]);
        let release = turn.build_dir(&installs(&turn, &package)).join("release");
        let released = fs::read_dir(release.join("statedb/couchdb/indexes")).unwrap();
        let released: Vec<_> = released.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(released, ["owner.json"], "{name}");
    }
}

/// A backslash is a letter to a peer on Linux, which takes both.
#[test]
fn backslashes_of_windows() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let all = crafted::package(&metadata("backslash_1.0"), program("src\\"));
    let all = workshop.crafted("all", all);
    let reason = ["backslashes", "packaged on Windows", "package it again"];
    workshop.inspect(&all).refuses(&reason);
    the_build_refuses(&turn, &all, &reason);

    let directories = ["src/", "src\\vendor/", "src\\vendor\\example.com/"];
    let code = directories.map(Crafted::directory).into_iter().chain(program("src/"));
    let package = crafted::package(&metadata("backslash_2.0"), code);
    let package = workshop.crafted("directories", package);
    workshop.inspect(&package).is_fine(&["nothing speaks against it"]);
    installs(&turn, &package);
}
