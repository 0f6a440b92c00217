//! Packages: the same for everybody, and refused for every reason there is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use selvedge_buildpack::package::{
    Draft, Existing, Interrupt, Packed, Report, WriteError, inspect, unpack, write,
};
use selvedge_buildpack::source::Source;
use tar::EntryType;

use crate::crafted::{
    self, Crafted, GO_MOD, INDEX, MAIN_GO, METADATA, chaincode, package, package_with, tree,
};

fn pack(directory: &Path, output: &Path) -> Packed {
    let draft = Draft::collect(directory).unwrap();
    let label = "basic_1.0".parse().unwrap();
    write(&draft, &label, output, Existing::Keep, &Interrupt::default()).unwrap()
}

/// Error and causes as a person reads them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What `unpack` says of a package with that content, and that it leaves nothing behind.
fn refusal(content: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.tar.gz");
    fs::write(&file, content).unwrap();
    let error = unpack(&file, &directory.path().join("out")).unwrap_err();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "something was left");
    let told = chain(&error);
    assert!(told.contains("bad.tar.gz"), "{told}");
    told
}

fn report(content: &[u8]) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.tar.gz");
    fs::write(&file, content).unwrap();
    inspect(&file).unwrap()
}

fn reasons(content: &[u8]) -> Vec<String> {
    let refusals = report(content).refusals;
    let told = refusals.iter().map(|refusal| format!("{}: {}", refusal.file, refusal.reason));
    told.collect()
}

#[test]
fn same_source_same_package_id() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    chaincode(one.path());
    chaincode(&two.path().join("deeper/elsewhere"));
    let first = pack(one.path(), &one.path().join("out.tar.gz"));
    let second = pack(&two.path().join("deeper/elsewhere"), &two.path().join("other.tar.gz"));
    assert_eq!(first.id, second.id);
    // Changing this changes the ID of every package that anybody makes: do it on purpose.
    assert_eq!(
        first.id.to_string(),
        "basic_1.0:12c39d8eaa5978f3d92605493fafe2b05b34f135796edad56f94d6b6b09b2911"
    );
}

#[test]
fn a_package_is_no_part_of_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(directory.path());
    let first = pack(directory.path(), &directory.path().join("one.tar.gz"));
    let second = pack(directory.path(), &directory.path().join("two.tar.gz"));
    assert_eq!(first.id, second.id);
    let left_out = Draft::collect(directory.path()).unwrap().left_out;
    assert_eq!(left_out[0].path, "one.tar.gz");
    assert_eq!(left_out[0].reason, "a chaincode package");
}

#[test]
fn what_goes_in_and_what_stays_out() {
    let directory = tempfile::tempdir().unwrap();
    let module = directory.path();
    tree(
        module,
        &[
            ("go.mod", GO_MOD),
            ("lib/lib.go", "package lib\n"),
            ("vendor/modules.txt", ""),
            ("cmd/chaincode/main.go", MAIN_GO),
            ("cmd/chaincode/META-INF/statedb/couchdb/indexes/owner.json", INDEX),
            ("cmd/chaincode/META-INF/.hidden", ""),
            (".git/config", ""),
            (".env", "SECRET=1"),
        ],
    );
    symlink("../lib/lib.go", module.join("cmd/linked.go")).unwrap();
    let draft = Draft::collect(&module.join("cmd/chaincode")).unwrap();
    assert_eq!(draft.path, "example.com/asset/cmd/chaincode");
    let files: Vec<_> = draft.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        files,
        [
            "META-INF/statedb/couchdb/indexes/owner.json",
            "src/cmd/chaincode/main.go",
            "src/cmd/linked.go",
            "src/go.mod",
            "src/lib/lib.go",
            "src/vendor/modules.txt",
        ]
    );
    let left_out: Vec<_> = draft.left_out.iter().map(|out| out.path.as_str()).collect();
    assert_eq!(left_out, [".env", ".git/", "cmd/chaincode/META-INF/.hidden"]);
}

#[test]
fn directories_that_cannot_be_packaged() {
    let no_module: &[(&str, &str)] = &[("main.go", MAIN_GO)];
    let no_main = &[("go.mod", GO_MOD), ("lib.go", "package lib\n")];
    let outside = "module m\nreplace example.com/x => ../x\n";
    let outside = &[("go.mod", outside), ("main.go", MAIN_GO)];
    let misplaced = &[("go.mod", GO_MOD), ("main.go", MAIN_GO), ("META-INF/a.json", INDEX)];
    for (files, reason) in [
        (no_module, "holds no Go module"),
        (no_main, "holds no `package main`"),
        (outside, "replaces a module by the directory ../x"),
        (misplaced, "META-INF/a.json is not of use to a peer"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        tree(directory.path(), files);
        let told = chain(&Draft::collect(directory.path()).unwrap_err());
        assert!(told.contains(reason), "{told}");
    }
}

#[test]
fn symbolic_links_that_lead_away() {
    for target in ["/etc/hostname", "../outside", "missing", "lib"] {
        let directory = tempfile::tempdir().unwrap();
        let module = directory.path().join("module");
        chaincode(&module);
        tree(directory.path(), &[("outside", ""), ("module/lib/lib.go", "package lib\n")]);
        symlink(target, module.join("link")).unwrap();
        let told = Draft::collect(&module).unwrap_err().to_string();
        assert!(told.contains("link is a symbolic link to") && told.contains(target), "{told}");
    }
}

#[test]
fn writing_is_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let (module, out) = (directory.path().join("module"), directory.path().join("out"));
    chaincode(&module);
    fs::create_dir(&out).unwrap();
    let output = out.join("basic.tar.gz");
    let draft = Draft::collect(&module).unwrap();
    let label = "basic_1.0".parse().unwrap();

    let interrupt = Interrupt::default();
    interrupt.request();
    let interrupted = write(&draft, &label, &output, Existing::Keep, &interrupt);
    assert!(matches!(interrupted, Err(WriteError::Interrupted)));
    fs::remove_file(module.join("main.go")).unwrap();
    let vanished = write(&draft, &label, &output, Existing::Keep, &Interrupt::default());
    assert!(chain(&vanished.unwrap_err()).contains("main.go"));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "something was left");

    chaincode(&module);
    pack(&module, &output);
    let again = write(&draft, &label, &output, Existing::Keep, &Interrupt::default());
    assert!(matches!(again, Err(WriteError::Exists { .. })));
    write(&draft, &label, &output, Existing::Replace, &Interrupt::default()).unwrap();
}

#[test]
fn a_good_package_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let module = directory.path().join("module");
    chaincode(&module);
    let file = directory.path().join("basic.tar.gz");
    let packed = pack(&module, &file);
    let out = directory.path().join("out");
    let unpacked = unpack(&file, &out).unwrap();
    assert_eq!((&unpacked.id, &unpacked.metadata), (&packed.id, &packed.metadata));
    assert_eq!(fs::read_to_string(out.join("src/main.go")).unwrap(), MAIN_GO);
    assert_eq!(Source::open(&out).unwrap().files().len(), 3);

    let report = inspect(&file).unwrap();
    assert_eq!(report.package_id, Some(packed.id));
    assert_eq!(report.size, packed.size);
    assert_eq!(report.indexes.len(), 1);
    assert!(report.refusals.is_empty(), "{:?}", report.refusals);
}

#[test]
fn damaged_packages() {
    let good = package_with(Crafted::file("src/more", "x"));
    let no_metadata = crafted::gzip(&crafted::tar(vec![Crafted::file("code.tar.gz", "")]));
    let trailing = [good.clone(), crafted::gzip(b"more")].concat();
    for (content, reason) in [
        (b"".to_vec(), "not a gzip file"),
        (b"PK\x03\x04 a zip".to_vec(), "not a gzip file"),
        (good[..good.len() / 2].to_vec(), "truncated"),
        (good[..good.len() - 4].to_vec(), "truncated"),
        (crafted::gzip(&b"no tar ".repeat(200)), "not a readable tar archive"),
        (trailing, "data after the end"),
        (no_metadata, "code.tar.gz in"),
        (package("", vec![]), "metadata.json in"),
        (package("{}", vec![]), "has no `type`"),
        (package(r#"{"type":"golang","label":"a b"}"#, vec![]), "invalid label `a b`"),
    ] {
        let told = refusal(&content);
        assert!(told.contains(reason), "{told}");
        let told = reasons(&content).join("\n");
        assert!(!told.is_empty());
    }
    let metadata_only =
        crafted::gzip(&crafted::tar(vec![Crafted::file("metadata.json", METADATA)]));
    assert!(refusal(&metadata_only).contains("holds no code.tar.gz"));
    assert_eq!(reasons(&metadata_only), ["package: holds no code.tar.gz"]);
}

#[test]
fn dangerous_entries() {
    for (entry, reason) in [
        (Crafted::file("../evil", ""), "`../evil` has `..` in its path"),
        (Crafted::file("src/../../evil", ""), "has `..` in its path"),
        (Crafted::file("/etc/evil", ""), "`/etc/evil` is an absolute path"),
        (Crafted::link("src/l", EntryType::Symlink, "/etc"), "is a symbolic link to `/etc`"),
        (Crafted::link("src/l", EntryType::Link, "src/go.mod"), "is a hard link to `src/go.mod`"),
        (Crafted::new("src/p", EntryType::Fifo, ""), "is a special entry of tar type `6`"),
        (Crafted::new("g", EntryType::XGlobalHeader, ""), "is a special entry of tar type `g`"),
        (Crafted::new("src/d", EntryType::Directory, "x"), "has a size that readers"),
        (Crafted::file("src/d/", ""), "is a file whose path ends in `/`"),
        (Crafted::file("src/go.mod", ""), "`src/go.mod` appears twice"),
        (Crafted::file("src/go.mod/x", ""), "is both a file and a directory"),
        (Crafted::file("src", ""), "is both a file and a directory"),
        (Crafted::file("src/\u{1b}[2J", ""), "not printable UTF-8"),
    ] {
        let content = package_with(entry);
        let told = refusal(&content);
        assert!(told.contains(reason), "{told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
        let told = reasons(&content).join("\n");
        let reason = reason.rsplit("` ").next().unwrap();
        assert!(told.contains(reason.trim_start_matches('`')), "{told}");
    }
}

#[test]
fn long_names_are_not_read_into_memory() {
    let huge = Crafted::new("././@LongLink", EntryType::GNULongName, vec![b'a'; 1 << 20]);
    let code = vec![huge, Crafted::file("src/a", "")];
    assert!(refusal(&package(METADATA, code)).contains("has a path longer than"));
    let sparse = b"22 GNU.sparse.major=1\n".to_vec();
    let pax = Crafted::new("pax", EntryType::XHeader, sparse);
    let code = vec![pax, Crafted::file("src/a", "")];
    assert!(refusal(&package(METADATA, code)).contains("has a size that readers"));
}

/// Two gigabytes of zeros in some kilobytes: refused by its header, without a byte on the disk.
#[test]
fn bomb() {
    let bomb = crafted::zeros("src/zeros", 128);
    let content = crafted::gzip(&crafted::tar(vec![
        Crafted::file("metadata.json", METADATA),
        Crafted::file("code.tar.gz", bomb),
    ]));
    assert!(content.len() < 100 << 10, "{} bytes are no bomb", content.len());
    let reason = "unpacks to more than 536870912 bytes";
    assert!(refusal(&content).contains(reason));
    assert_eq!(reasons(&content), [format!("code.tar.gz: {reason}")]);
}

#[test]
fn too_many_files() {
    let code = (0..50_001).map(|n| Crafted::file(&format!("src/{n}"), ""));
    let content = package(METADATA, code.collect());
    assert!(refusal(&content).contains("holds more than 50000 entries"));
}

#[test]
fn every_reason_is_reported() {
    let told = reasons(&package(
        r#"{"label":"a b","path":"example.com/asset"}"#,
        vec![
            Crafted::file("src/main.go", MAIN_GO),
            Crafted::file("../up", ""),
            Crafted::link("src/link", EntryType::Symlink, "/etc/passwd"),
            Crafted::file("META-INF/statedb/couchdb/indexes/a.json", "{}"),
            Crafted::file("META-INF/b.json", "{}"),
        ],
    ));
    assert_eq!(told.len(), 6, "{told:#?}");
    let no_module = package(METADATA, vec![Crafted::file("src/main.go", MAIN_GO)]);
    assert!(reasons(&no_module)[0].contains("holds no Go module"));
    let library = vec![Crafted::file("src/go.mod", GO_MOD), Crafted::file("src/a.go", "package a")];
    assert!(reasons(&package(METADATA, library))[0].contains("src holds no `package main`"));
    let java = r#"{"label":"a","type":"java","path":""}"#;
    assert!(reasons(&package(java, vec![]))[0].contains("has the type `java`"));
    let path = r#"{"label":"a","type":"golang","path":"../x"}"#;
    assert!(reasons(&package(path, vec![]))[0].contains("the path `../x` in metadata.json"));
}
