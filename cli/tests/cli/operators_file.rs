//! `selvedge config`: what a person is told of the operator's file.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Output, Stdio};

use golden::golden_text;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::{check, command, selvedge};

const HEAD: &str = "apiVersion: selvedge/v1\nbackend: kubernetes\n";

/// The crate's golden files.
fn goldens() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

/// What `selvedge config check` says of a file with this content, and of the same on its standard
/// input.
fn checked(content: impl AsRef<[u8]>, more: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("selvedge.yaml"), &content).unwrap();
    let arguments = [&["config", "check", "selvedge.yaml"], more].concat();
    let of_file = selvedge(directory.path(), &arguments);
    let arguments = [&["config", "check", "-"], more].concat();
    let mut child = command(directory.path(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read to the end.
    let _ = child.stdin.take().unwrap().write_all(content.as_ref());
    let of_stdin = child.wait_with_output().unwrap();
    let same = String::from_utf8(of_stdin.stdout).unwrap().replace("<stdin>", "selvedge.yaml");
    assert_eq!(same, String::from_utf8_lossy(&of_file.stdout));
    assert_eq!(of_stdin.status, of_file.status);
    of_file
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_fault_is_told_at_once_as_compilers_do() {
    let text = format!("{HEAD}chaincode:\n  replcas: 2\n  tmp: x\n");
    let output = checked(&text, &[]);
    check(&output, 1, &["did you mean"], &[]);
    assert_eq!(
        lines(&output),
        [
            "selvedge.yaml:4:3: chaincode.replcas: unknown key; did you mean `replicas`?",
            "selvedge.yaml:5:8: chaincode.tmp: expected a quantity such as 500m, 1.5 or 64Mi, found \"x\"",
        ]
    );
    let json: serde_json::Value =
        serde_json::from_slice(&checked(&text, &["--json"]).stdout).unwrap_or_default();
    assert_eq!(json["right"], false);
    assert_eq!(json["faults"][0]["line"], 4);
    assert_eq!(json["faults"][1]["path"], "chaincode.tmp");
}

#[test]
fn a_file_that_is_right() {
    let output = checked(HEAD, &[]);
    check(&output, 0, &["selvedge.yaml is right\n"], &[]);
    let json: serde_json::Value =
        serde_json::from_slice(&checked(HEAD, &["--json"]).stdout).unwrap_or_default();
    assert_eq!((&json["right"], &json["faults"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn overlays_are_held_against_the_baseline() {
    let overlay = "chaincode:\n  podTemplate:\n    spec:\n      hostNetwork: true\n";
    let overrides = "overrides:\n  - match: {label: a}\n    chaincode:\n      podTemplate:\n        \
                     spec:\n          containers: [{name: chaincode, $patch: delete}]\n";
    let output = checked(format!("{HEAD}{overlay}{overrides}"), &[]);
    check(&output, 1, &["selvedge.yaml:"], &[]);
    assert_eq!(
        lines(&output),
        [
            "selvedge.yaml:6:20: chaincode.podTemplate.spec.hostNetwork: shares a namespace of the node \
             (Pod Security, Host Namespaces); `hostNetwork` in `allow` permits it",
            "selvedge.yaml:12:24: overrides[0].chaincode.podTemplate.spec.containers[name=\"chaincode\"]: \
             the container is dropped; nothing permits it",
        ]
    );
    let output = checked(format!("{HEAD}{overlay}  allow: [hostNetwork]\n"), &[]);
    check(&output, 0, &["selvedge.yaml is right"], &[]);
    assert_eq!(
        lines(&output)[0],
        "selvedge.yaml:6:20: note: chaincode.podTemplate.spec.hostNetwork: lifts `hostNetwork` of the \
         pods' security, as `allow` says"
    );
}

#[test]
fn overrides_for_no_chaincode_that_there_is_are_warned_of() {
    let text = format!(
        "{HEAD}overrides:\n  - match: {{label: 'basik_*'}}\n    chaincode: {{replicas: 2}}\n  - match: \
         {{msp: Org1MSP}}\n    chaincode: {{replicas: 2}}\n"
    );
    let output = checked(&text, &["--label", "basic_1.0", "--label", "audit_2"]);
    check(&output, 0, &["selvedge.yaml is right"], &[]);
    assert_eq!(
        lines(&output)[0],
        "selvedge.yaml:4:12: warning: overrides[0].match: `basik_*` is the label of no chaincode; there \
         are `basic_1.0`, `audit_2`"
    );
    assert_eq!(lines(&checked(&text, &["--label=basik_1,audit_2"])), ["selvedge.yaml is right"]);
    assert_eq!(lines(&checked(&text, &[])), ["selvedge.yaml is right"]);
}

#[test]
fn what_is_no_file_of_an_operator() {
    for (content, told) in [
        (
            &b""[..],
            "selvedge.yaml: the file says nothing; its first line is `apiVersion: selvedge/v1`",
        ),
        (
            b"apiVersion: selvedge/v1\n# M\xfcller\n",
            "selvedge.yaml: the file is not in UTF-8: line 2",
        ),
        (&vec![b'#'; 10 << 20], "selvedge.yaml: the file has more than 1048576 bytes"),
        (b"apiVersion: selvedge/v1\nchaincode: {replicas: 1", "selvedge.yaml:"),
    ] {
        let output = checked(content, &[]);
        check(&output, 1, &[told], &[]);
        assert_eq!(lines(&output).len(), 1);
    }
    let directory = tempfile::tempdir().unwrap();
    for (file, told) in [
        ("absent", "error: cannot read absent: No such file"),
        (".", "error: cannot read .: Is a directory"),
    ] {
        check(&selvedge(directory.path(), &["config", "check", file]), 1, &[], &[told]);
    }
    for (arguments, told) in [
        (&["config", "check"][..], "<FILE>"),
        (&["config", "check", "a", "--label", "a b"], "invalid label `a b`"),
        (&["config"], "Usage: selvedge config"),
        (&["config", "show", "--label", "a"], "--msp"),
        (&["config", "default", "--backend", "docker"], "invalid value 'docker'"),
    ] {
        check(&selvedge(directory.path(), arguments), 2, &[], &[told]);
    }
}

const SUBJECT: [&str; 8] =
    ["config", "show", "--label", "basic_1.0", "--msp", "Org1MSP", "--peer", "peer0-0"];

#[test]
fn what_applies_is_shown_with_where_it_comes_from() {
    let of_file = [&SUBJECT[..], &["selvedge.yaml"]].concat();
    let output = selvedge(goldens(), &of_file);
    check(&output, 0, &["FROM"], &[]);
    golden_text("tests/golden/show.txt", std::str::from_utf8(&output.stdout).unwrap());

    let output = selvedge(goldens(), &[&of_file[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = json["keys"].as_array().unwrap();
    let of = |name: &str| keys.iter().find(|one| one["key"] == name).unwrap();
    assert_eq!(
        of("replicas"),
        &serde_json::json!({"key": "replicas", "value": 3, "from": "selvedge.yaml:18", "line": 18,
            "column": 17})
    );
    assert_eq!(of("tmp"), &serde_json::json!({"key": "tmp", "value": "64Mi", "from": "default"}));
    // In other ways to name the same file.
    let by_flag = [&SUBJECT[..], &["--config", "selvedge.yaml"]].concat();
    let by_variable = command(goldens(), &SUBJECT).env("SELVEDGE_CONFIG", "selvedge.yaml").output();
    for same in [selvedge(goldens(), &by_flag), by_variable.unwrap()] {
        assert_eq!(same.stdout, selvedge(goldens(), &of_file).stdout);
    }
}

#[test]
fn what_is_not_right_together_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "{HEAD}overrides:\n- match: {{label: b*}}\n  chaincode: {{allow: [hostPID], podTemplate: {{spec: \
         {{hostPID: true}}}}}}\n- match: {{msp: Org1MSP}}\n  chaincode: {{allow: []}}\n"
    );
    fs::write(directory.path().join("selvedge.yaml"), text).unwrap();
    let output = selvedge(directory.path(), &["config", "check", "selvedge.yaml"]);
    check(&output, 0, &["selvedge.yaml is right"], &[]);
    let output = selvedge(directory.path(), &[&SUBJECT[..], &["selvedge.yaml"]].concat());
    let told = "error: selvedge.yaml is not right:\nselvedge.yaml:5:63: chaincode.podTemplate.spec.hostPID: ";
    check(&output, 1, &[], &[told]);
}

/// What the program prints on a terminal of this width.
fn on_terminal(width: u16, arguments: &[&str]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let slave = File::options().read(true).write(true).open(name).unwrap();
    tcsetwinsize(&slave, Winsize { ws_row: 24, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 })
        .unwrap();
    let mut command = command(goldens(), arguments);
    // Where colours are not wanted there would be none.
    command.env_remove("NO_COLOR").env("TERM", "xterm").stdout(slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // Ends with an error when nobody has the other end any more.
    let _ = File::from(master).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[test]
fn the_table_fits_the_terminal() {
    let shown = on_terminal(60, &[&SUBJECT[..], &["selvedge.yaml"]].concat());
    assert!(shown.starts_with("\u{1b}[1mKEY") && shown.contains("FROM\u{1b}[0m\n"), "{shown}");
    let (_, rows) = shown.split_once('\n').unwrap();
    assert!(rows.lines().all(|line| line.chars().count() <= 60), "{rows}");
    let whole = fs::read_to_string(goldens().join("show.txt")).unwrap();
    assert!(whole.lines().any(|line| line.chars().count() > 60), "nothing had to be made to fit");
}

#[test]
fn the_pages_are_those_of_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (page, file) in [("schema", "config/schema.json"), ("reference", "docs/operators-file.md")]
    {
        let output = selvedge(&root, &["config", page]);
        assert!(output.status.success());
        assert!(output.stdout == fs::read(root.join(file)).unwrap(), "{page} is not {file}");
    }
    for (backend, there, not_there) in
        [("local", "imagesLimit", "podTemplate"), ("kubernetes", "podTemplate", "imagesLimit")]
    {
        let output = selvedge(&root, &["config", "default", "--backend", backend]);
        check(&output, 0, &[there, &format!("backend: {backend}\n")], &[]);
        assert!(!lines(&output).iter().any(|line| line.contains(&format!("{not_there}:"))));
        check(&checked(&output.stdout, &[]), 0, &["selvedge.yaml is right"], &[]);
    }
    let default = selvedge(&root, &["config", "default"]);
    assert_eq!(default.stdout, selvedge(&root, &["config", "default", "-b", "local"]).stdout);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = command(goldens(), &["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds is left.
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    check(&child.wait_with_output().unwrap(), 0, &[], &[]);
}
