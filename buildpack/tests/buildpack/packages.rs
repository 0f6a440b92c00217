//! Packages: the same for everybody, and refused for every reason there is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crafted::{Crafted, EntryType, gzip, package, tar, zeros};
use selvedge_buildpack::package::{
    Dependencies, Draft, Existing, Inspection, Interrupt, Packed, RefusedBy, Report, WriteError,
    write,
};
use selvedge_buildpack::source::Source;

use crate::chaincode::{
    GO_MOD, INDEX, MAIN_GO, METADATA, chaincode, code, package_of, package_with, tree,
};

fn pack(directory: &Path, output: &Path) -> Packed {
    let draft = Draft::collect(directory, Dependencies::Installed).unwrap();
    let label = "basic_1.0".parse().unwrap();
    write(&draft, &label, output, Existing::Keep, &Interrupt::default()).unwrap()
}

/// Error and causes as a person reads them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn inspected(file: &Path) -> Inspection {
    Inspection::of(file, &Interrupt::default()).unwrap()
}

fn report(content: &[u8]) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.tar.gz");
    fs::write(&file, content).unwrap();
    let inspection = inspected(&file);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "something was left");
    inspection.report
}

fn reasons(content: &[u8]) -> Vec<String> {
    let refusals = report(content).refusals;
    let by = |by| if by == RefusedBy::Peer { "peer" } else { "selvedge" };
    let told = refusals.iter().map(|r| format!("{}: {}: {}", by(r.by), r.file, r.reason));
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
    let left_out = Draft::collect(directory.path(), Dependencies::Installed).unwrap().left_out;
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
    let draft = Draft::collect(&module.join("cmd/chaincode"), Dependencies::Installed).unwrap();
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
    let library = &[
        ("go.mod", GO_MOD),
        ("asset.go", "package asset\n\nfunc main() {}\n"),
        ("generate.go", "//go:build ignore\n\npackage main\n"),
    ];
    let misplaced = &[("go.mod", GO_MOD), ("main.go", MAIN_GO), ("META-INF/a.json", INDEX)];
    for (files, reason) in [
        (no_module, "holds no Go module"),
        (no_main, "is not a main package but `package lib`"),
        (library, "is not a main package but `package asset`"),
        (outside, "replaces a module by the directory ../x"),
        (misplaced, "META-INF/a.json is not of use to a peer"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        tree(directory.path(), files);
        let told = chain(&Draft::collect(directory.path(), Dependencies::Installed).unwrap_err());
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
        let told = Draft::collect(&module, Dependencies::Installed).unwrap_err().to_string();
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
    let draft = Draft::collect(&module, Dependencies::Installed).unwrap();
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
    let inspection = inspected(&file);
    let code = inspection.code();
    assert_eq!(fs::read_to_string(code.join("src/main.go")).unwrap(), MAIN_GO);
    assert_eq!(Source::open(code).unwrap().files().len(), 3);

    let report = &inspection.report;
    assert_eq!(report.package_id, Some(packed.id));
    assert_eq!(report.metadata, Some(packed.metadata));
    assert_eq!(report.size, packed.size);
    assert_eq!(report.indexes.len(), 1);
    assert!(report.refusals.is_empty(), "{:?}", report.refusals);
}

#[test]
fn damaged_packages() {
    let good = package_with(Crafted::file("src/more", "x"));
    let no_metadata = gzip(&tar(vec![Crafted::file("code.tar.gz", "")]));
    for (content, reason) in [
        (b"".to_vec(), "peer: package: not a gzip file"),
        (b"PK\x03\x04 a zip".to_vec(), "peer: package: not a gzip file"),
        (good[..good.len() / 2].to_vec(), "peer: package: truncated"),
        (gzip(&b"no tar ".repeat(200)), "peer: package: not a readable tar archive"),
        (no_metadata, "peer: code.tar.gz: not a gzip file"),
        (package("", vec![]), "peer: metadata.json: is not a JSON object"),
        (package("{}", vec![]), "peer: metadata.json: has no `label`"),
        (
            package(r#"{"type":"golang","label":"a b"}"#, vec![]),
            "peer: metadata.json: invalid label",
        ),
    ] {
        let told = reasons(&content);
        assert!(told.iter().any(|told| told.starts_with(reason)), "{reason}: {told:#?}");
    }
    let metadata_only = gzip(&tar(vec![Crafted::file("metadata.json", METADATA)]));
    assert_eq!(reasons(&metadata_only), ["peer: package: holds no code.tar.gz"]);
}

/// Go stops where a tar ends, and does not look at what follows: neither does a peer.
#[test]
fn damage_that_no_peer_sees() {
    let good = package_with(Crafted::file("src/more", "x"));
    let trailing = [good.clone(), b"more".to_vec()].concat();
    let without_checksum = good[..good.len() - 4].to_vec();
    let tar = tar(vec![
        Crafted::file("metadata.json", METADATA),
        Crafted::file("code.tar.gz", code(vec![])),
    ]);
    let without_end = gzip(&tar[..tar.len() - 1024]);
    let more = gzip(&[&tar[..], b"what follows the end of a tar is nobody's"].concat());
    for content in [good, trailing, without_checksum, without_end, more] {
        assert_eq!(reasons(&content), Vec::<String>::new());
    }
}

#[test]
fn entries_that_a_peer_refuses() {
    for (entry, reason) in [
        (Crafted::file("../evil", ""), "../evil: has `..` in its path"),
        (Crafted::file("src/../../evil", ""), "src/../../evil: has `..` in its path"),
        (Crafted::file("/etc/evil", ""), "/etc/evil: is an absolute path"),
        (Crafted::link("src/l", EntryType::Symlink, "/etc"), "src/l: is a symbolic link to `/etc`"),
        (Crafted::link("src/l", EntryType::Link, "src/go.mod"), "src/l: is a hard link to `src/go"),
        (Crafted::new("src/p", EntryType::Fifo, ""), "src/p: is a special entry of tar type `6`"),
        (Crafted::new("src/c", EntryType::Continuous, ""), "src/c: is a special entry of tar type"),
        (Crafted::new("g", EntryType::XGlobalHeader, ""), "g: is a special entry of tar type `g`"),
        (Crafted::new("src/d", EntryType::Directory, "x"), "code.tar.gz: not a readable tar"),
        (Crafted::file("src/go.mod/x", ""), "src/go.mod/x: is both a file and a directory"),
        (Crafted::file("src", ""), "src: is both a file and a directory"),
        (Crafted::directory("src/go.mod"), "src/go.mod: is both a file and a"),
        (Crafted::file("./", ""), "./: has an empty path"),
    ] {
        let told = reasons(&package_with(entry));
        assert!(told[0].starts_with(&format!("peer: {reason}")), "{reason}: {told:#?}");
    }
    let long = "n".repeat(256);
    let huge = Crafted::named(&long);
    let told = reasons(&package_of(vec![huge, Crafted::file("src/a", "")]));
    assert!(told[0].starts_with(&format!("peer: {long}: has a path longer")), "{told:#?}");
}

#[test]
fn entries_that_only_selvedge_refuses() {
    let escape = reasons(&package_with(Crafted::file("src/\u{1b}[2J", "")));
    assert_eq!(escape, [r"selvedge: src/\u{1b}[2J: has a path that is not printable UTF-8 text"]);
    let name = Crafted::named(&"d/".repeat(65));
    let told = reasons(&package_of(vec![name, Crafted::file("src/a", "")]));
    assert!(told[0].starts_with("selvedge: d/d/"), "{told:#?}");
}

/// Taken by a peer, and so by Selvedge; and read as the peer reads it.
#[test]
fn entries_that_a_peer_takes() {
    let long = format!("src/{}.go", "n".repeat(150));
    let sparse = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "src/s"),
        ("GNU.sparse.realsize", "9"),
    ];
    for (entries, path, content) in [
        (vec![Crafted::file("./src/./a//b", "ab")], "src/a/b", "ab"),
        (vec![Crafted::file("x/../src/c", "c")], "src/c", "c"),
        (vec![Crafted::file("src/d/", "d")], "src/d", "d"),
        (
            vec![Crafted::directory("./"), Crafted::directory("src/"), Crafted::directory("src")],
            "src/main.go",
            MAIN_GO,
        ),
        (vec![Crafted::file("src/e", "longer"), Crafted::file("src/e", "sh")], "src/e", "shnger"),
        (vec![Crafted::named(&long), Crafted::file("src/n", "n")], &long, "n"),
        (
            vec![
                Crafted::pax(&[("path", "src/p"), ("size", "2")]),
                Crafted::file("src/q", "pp").changed(|header| header.set_size(0)),
            ],
            "src/p",
            "pp",
        ),
        (
            vec![
                Crafted::pax(&sparse),
                Crafted::file("GNUSparseFile.0/s", format!("{:\0<512}sparse", "2\n0\n3\n6\n3\n")),
            ],
            "src/s",
            "spa\0\0\0rse",
        ),
        (vec![Crafted::file("src\\f", "f")], "src\\f", "f"),
        (vec![Crafted::file("._src", "\0\u{5}\u{16}")], "._src", "\0\u{5}\u{16}"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("some.tar.gz");
        fs::write(&file, package_of(entries)).unwrap();
        let inspection = inspected(&file);
        assert_eq!(inspection.report.refusals, [], "{path}");
        assert_eq!(fs::read_to_string(inspection.code().join(path)).unwrap(), content, "{path}");
    }
}

/// The check takes the last of two, and the builder gets the first.
#[test]
fn two_of_one_name() {
    let rust = METADATA.replace("golang", "rust").replace("basic_1.0", "last_1.0");
    let checked = |last_code: Vec<u8>| {
        gzip(&tar(vec![
            Crafted::file("metadata.json", METADATA),
            Crafted::file("code.tar.gz", code(vec![])),
            Crafted::file("code.tar.gz", last_code),
            Crafted::file("metadata.json", rust.as_str()),
        ]))
    };
    let taken = report(&checked(gzip(&tar([]))));
    assert_eq!(taken.refusals, []);
    let metadata = taken.metadata.unwrap();
    assert_eq!((metadata.kind.name(), metadata.label.as_str()), ("golang", "last_1.0"));
    assert!(taken.package_id.unwrap().to_string().starts_with("last_1.0:"));
    assert_eq!(taken.files.len(), 2);
    assert_eq!(reasons(&checked(b"none".to_vec())), ["peer: code.tar.gz: not a gzip file"]);
}

#[test]
fn names_in_the_package_are_compared_exactly() {
    let dotted = |more: Vec<Crafted>| {
        let files = vec![
            Crafted::file("./metadata.json", METADATA),
            Crafted::file("./code.tar.gz", code(vec![])),
        ];
        reasons(&gzip(&tar(more.into_iter().chain(files))))
    };
    let almost = ", and `./metadata.json` is none to a peer, and `./code.tar.gz` is none to a peer";
    let missing = ["metadata.json", "code.tar.gz"]
        .map(|file| format!("peer: package: holds no {file}{almost}"));
    assert_eq!(dotted(vec![]), missing);
    let directory = dotted(vec![Crafted::directory("./")]);
    assert_eq!(directory[0], "peer: ./: is a directory beside metadata.json");
}

#[test]
fn long_names_are_not_read_into_memory() {
    let huge = Crafted::new("././@LongLink", EntryType::GNULongName, vec![b'a'; (1 << 20) + 1]);
    let code = vec![huge, Crafted::file("src/a", "")];
    let told = reasons(&package(METADATA, code));
    assert_eq!(told[0], "peer: code.tar.gz: not a readable tar archive: invalid tar header");
}

/// Two gigabytes of zeros in some kilobytes: refused by its header, without a byte on the disk.
#[test]
fn bomb() {
    let bomb = zeros("src/zeros", 128);
    let content = gzip(&tar(vec![
        Crafted::file("metadata.json", METADATA),
        Crafted::file("code.tar.gz", bomb),
    ]));
    assert!(content.len() < 100 << 10, "{} bytes are no bomb", content.len());
    let reason = "selvedge: code.tar.gz: unpacks to more than 536870912 bytes";
    assert_eq!(reasons(&content), [reason]);
}

#[test]
fn too_many_files() {
    let code = (0..50_001).map(|n| Crafted::file(&format!("src/{n}"), ""));
    let told = reasons(&package(METADATA, code));
    assert_eq!(told, ["selvedge: code.tar.gz: holds more than 50000 entries"]);
}

#[test]
fn every_reason_is_reported() {
    let told = reasons(&package(
        r#"{"label":"a b","path":"example.com/asset"}"#,
        vec![
            Crafted::file("src/main.go", MAIN_GO),
            Crafted::file("../up", ""),
            Crafted::link("src/link", EntryType::Symlink, "/etc/passwd"),
        ],
    ));
    assert_eq!(told.len(), 4, "{told:#?}");
    let no_module = package(METADATA, vec![Crafted::file("src/main.go", MAIN_GO)]);
    assert!(reasons(&no_module)[0].contains("holds no Go module"));
    let library = vec![Crafted::file("src/go.mod", GO_MOD), Crafted::file("src/a.go", "package a")];
    assert!(reasons(&package(METADATA, library))[0].contains("src is not a main package but"));
    let ignored = "//go:build ignore\n\npackage main\n";
    let generator = [("src/go.mod", GO_MOD), ("src/a.go", "package a\n"), ("src/gen.go", ignored)]
        .map(|(name, content)| Crafted::file(name, content));
    assert!(reasons(&package(METADATA, generator))[0].contains("but `package a`, of which no"));
    for target in ["/etc", "../../x", "\"/etc\""] {
        let go_mod = format!("{GO_MOD}replace(\nexample.com/x => {target}\n)\n");
        let files = [("src/go.mod", &*go_mod), ("src/main.go", MAIN_GO)]
            .map(|(name, content)| Crafted::file(name, content));
        let told = reasons(&package(METADATA, files));
        let reason = "selvedge: code.tar.gz: src/go.mod replaces a module by the directory";
        assert!(told[0].starts_with(reason), "{target}: {told:#?}");
    }
    let rust = r#"{"label":"a","type":"rust","path":""}"#;
    assert!(reasons(&package(rust, vec![]))[0].contains("has the type `rust`"));
    let java = r#"{"label":"a","type":"java","path":""}"#;
    assert!(reasons(&package(java, vec![]))[0].contains("holds no src/pom.xml"));
    let path = r#"{"label":"a","type":"golang","path":"../x"}"#;
    assert!(reasons(&package(path, vec![]))[0].contains("the path `../x` in metadata.json"));
}

/// A peer goes on without such an index, and so does Selvedge; but it is told.
#[test]
fn what_becomes_no_index() {
    let report = report(&package_of(vec![
        Crafted::file("META-INF/statedb/couchdb/indexes/good.json", INDEX),
        Crafted::file("./META-INF/statedb//couchdb/indexes/deeper/good.json", INDEX),
        Crafted::file("META-INF/statedb/couchdb/indexes/odd.json", "{}"),
        Crafted::file("META-INF/statedb/couchdb/indexes/none.json", "[]"),
        Crafted::file("META-INF/statedb/couchdb/indexes/._good.json", "\0\u{5}\u{16}\u{7}"),
        Crafted::file("META-INF/b.json", INDEX),
    ]));
    assert_eq!(report.refusals, []);
    let indexes: Vec<_> = report.indexes.iter().map(|index| index.path.name()).collect();
    assert_eq!(indexes, ["good.json", "good.json", "odd.json"]);
    let told = report.remarks.iter().map(|remark| format!("{} {}", remark.file, remark.text));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "META-INF/b.json becomes no index: a peer looks for no index there",
            "META-INF/statedb/couchdb/indexes/._good.json becomes no index: it is hidden",
            "META-INF/statedb/couchdb/indexes/none.json becomes no index: it is not a JSON object",
            "META-INF/statedb/couchdb/indexes/odd.json may become no index: it is not an index \
             definition: `index` with its `fields` is missing",
        ]
    );
}
