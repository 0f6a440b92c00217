//! Packages of programs that are compiled already.

use std::fs;

use crafted::{Crafted, package};
use serde_json::Value;

use crate::{check, selvedge};

/// The headers of a program for a machine (`e_machine`), which are all that is looked at; one that
/// is linked dynamically has a segment with its loader's name.
fn program(machine: u8, loader: Option<&str>) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (header[16], header[18], header[20], header[24]) = (2, machine, 1, 0x80);
    (header[52], header[54]) = (64, 56);
    if let Some(loader) = loader {
        (header[32], header[56]) = (64, 1);
        let mut segment = vec![0; 56];
        (segment[0], segment[8]) = (3, 120);
        segment[32] = u8::try_from(loader.len()).unwrap() + 1;
        header.extend(segment);
        header.extend(loader.bytes());
        header.push(0);
    }
    header
}

const AMD64: u8 = 62;
const ARM64: u8 = 183;
const S390: u8 = 22;

#[test]
fn packaged_from_a_file_or_a_directory_and_inspected() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir_all(root.join("made/META-INF/statedb/couchdb/indexes")).unwrap();
    let index = r#"{"index":{"fields":["owner"]},"type":"json"}"#;
    fs::write(root.join("made/META-INF/statedb/couchdb/indexes/owner.json"), index).unwrap();
    fs::write(root.join("made/asset"), program(ARM64, None)).unwrap();
    fs::write(root.join("made/notes.txt"), "text").unwrap();

    // Whatever machine this is.
    let output = selvedge(root, &["package", "made", "--label", "asset_1.0"]);
    let told = [
        "type        binary\n",
        "path        asset\n",
        "  META-INF/statedb/couchdb/indexes/owner.json\n",
        "  src/asset\n",
        "  notes.txt (of no use to a program, which is run by itself)\n",
        "  asset is for peers on linux/arm64 alone\n",
    ];
    check(&output, 0, &told, &[]);
    let inspect = ["inspect", "--compile", "asset_1.0.tar.gz"];
    let told = [
        "type        binary\n",
        "owner.json (of the public state)",
        "  src/asset is for peers on linux/arm64 alone\n",
        "nothing speaks against it",
    ];
    check(&selvedge(root, &inspect), 0, &told, &[]);

    let loader = "/lib64/ld-linux-x86-64.so.2";
    fs::write(root.join("dynamic"), program(AMD64, Some(loader))).unwrap();
    let output = selvedge(root, &["package", "dynamic", "-l", "dynamic_1.0", "--json"]);
    let written: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(written["metadata"]["type"], "binary");
    assert_eq!(written["metadata"]["path"], "dynamic");
    assert_eq!(written["files"][0]["path"], "src/dynamic");
    let remark = written["remarks"][0]["text"].as_str().unwrap();
    assert!(remark.contains("linked dynamically: /lib64/ld-linux-x86-64.so.2 loads"), "{remark}");
}

#[test]
fn what_is_no_program_is_not_packaged() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("two")).unwrap();
    for file in ["two/a", "two/b", "foreign"] {
        fs::write(root.join(file), program(S390, None)).unwrap();
    }
    fs::write(root.join("script"), "#!/bin/sh\n").unwrap();
    for (file, reason) in [
        ("two", "two holds more than one program (a, b): name the one to package"),
        ("script", "script is a script"),
        ("foreign", "foreign is a program for linux/s390x: chaincode runs on linux/amd64 or"),
    ] {
        let output = selvedge(root, &["package", file, "-l", "asset_1.0"]);
        check(&output, 1, &[], &["error: ", reason]);
    }
}

#[test]
fn packages_without_a_program_that_can_run_would_be_refused() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let metadata = |path| format!(r#"{{"type":"Binary","path":"{path}","label":"asset_1.0"}}"#);
    for (path, file, content, reason) in [
        (
            "asset",
            "src/asset",
            program(S390, None),
            "code.tar.gz: src/asset is a program for linux",
        ),
        ("asset", "src/asset", b"#!/bin/sh\n".to_vec(), "code.tar.gz: src/asset is a script"),
        ("asset", "src/other", program(AMD64, None), "which begins with src/other"),
        ("asset", "asset", program(AMD64, None), "there is no src/asset in the package"),
        ("", "src/asset", program(AMD64, None), "metadata.json: "),
        ("/opt/asset", "src/asset", program(AMD64, None), "/opt/asset is a file of the peer's own"),
    ] {
        let made = package(&metadata(path), [Crafted::file(file, content)]);
        fs::write(root.join("made.tgz"), made).unwrap();
        let output = selvedge(root, &["inspect", "made.tgz"]);
        check(&output, 1, &["would be refused", "by Selvedge: ", reason], &[]);
    }
}
