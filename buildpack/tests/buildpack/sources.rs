//! Source trees: sent as a stream, received from anybody.

use std::fs;
use std::os::unix::fs::symlink;

use crafted::{Crafted, EntryType, tar};
use selvedge_buildpack::source::Source;

use crate::chaincode::{GO_MOD, MAIN_GO, tree};

#[test]
fn there_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let sent = directory.path().join("sent");
    let long = format!("src/{}/{}.go", "d".repeat(120), "f".repeat(120));
    tree(&sent, &[("src/go.mod", GO_MOD), ("src/main.go", MAIN_GO), (&long, "package d\n")]);
    let source = Source::open(&sent).unwrap();
    let mut stream = Vec::new();
    let digest = source.write_tar(&mut stream).unwrap();
    let received = Source::unpack(stream.as_slice(), &directory.path().join("received")).unwrap();
    assert_eq!(received.files(), source.files());
    assert_eq!(received.digest().unwrap(), digest);
}

#[test]
fn the_digest_is_that_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let unsorted = vec![
        Crafted::file("src/main.go", MAIN_GO).changed(|header| header.set_mtime(77)),
        Crafted::new("src/", EntryType::Directory, ""),
        Crafted::file("./src/go.mod", GO_MOD),
    ];
    // The directory after a file in it: allowed, as the file only implied it.
    let other = Source::unpack(tar(unsorted).as_slice(), &directory.path().join("other")).unwrap();
    tree(&directory.path().join("own"), &[("src/go.mod", GO_MOD), ("src/main.go", MAIN_GO)]);
    let own = Source::open(&directory.path().join("own")).unwrap();
    assert_eq!(own.digest().unwrap(), other.digest().unwrap());
}

#[test]
fn hostile_streams_leave_nothing() {
    let good = tar(vec![Crafted::file("src/go.mod", GO_MOD)]);
    let cut_between_entries = good[..1024].to_vec();
    let hidden = [good.clone(), good.clone()].concat();
    for (stream, reason) in [
        (Vec::new(), "truncated"),
        (cut_between_entries, "truncated"),
        (good[..600].to_vec(), "truncated"),
        (hidden, "holds data after the end"),
        (tar(vec![Crafted::file("../evil", "")]), "has `..` in its path"),
        (tar(vec![Crafted::link("src", EntryType::Symlink, "/tmp")]), "is a symbolic link"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let error = Source::unpack(stream.as_slice(), &directory.path().join("out")).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(reason), "{cause}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_source_has_no_links() {
    let directory = tempfile::tempdir().unwrap();
    symlink("/etc/passwd", directory.path().join("link")).unwrap();
    let told = Source::open(directory.path()).unwrap_err().to_string();
    assert!(told.contains("link is a symbolic link to `/etc/passwd`"), "{told}");
}
