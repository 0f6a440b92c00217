//! The real binary: what it prints, on which stream, with which exit code.

mod go_sources;
mod images;
mod named;
mod node_sources;
mod operators_file;
mod program;
mod render;
mod served;
mod status;

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crafted::{Crafted, EntryType, gzip, package, package_around, tar, zeros};

const GO_MOD: &str = "module example.com/asset\n\ngo 1.21\n";
const MAIN_GO: &str = "package main\n\nfunc main() {}\n";
const METADATA: &str = r#"{"path":"example.com/asset","type":"golang","label":"basic_1.0"}"#;

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(arguments).current_dir(directory);
    command
}

fn selvedge(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

/// Asserts exit code and both streams: each must hold all of the given texts, or be empty.
#[track_caller]
fn check(output: &Output, code: i32, on_stdout: &[&str], on_stderr: &[&str]) {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    let err = String::from_utf8(output.stderr.clone()).unwrap();
    let all = format!("exit code {:?}\nstdout:\n{out}\nstderr:\n{err}", output.status.code());
    assert_eq!(output.status.code(), Some(code), "{all}");
    for (stream, texts) in [(&out, on_stdout), (&err, on_stderr)] {
        assert_eq!(stream.is_empty(), texts.is_empty(), "{all}");
        for text in texts {
            assert!(stream.contains(text), "`{text}` is missing\n{all}");
        }
    }
    assert!(!all.contains('\u{1b}'), "colours, but no terminal\n{all}");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn chaincode(root: &Path) {
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join("go.mod"), GO_MOD).unwrap();
    fs::write(root.join("main.go"), MAIN_GO).unwrap();
}

#[test]
fn code_that_does_not_compile_is_told_before_it_is_packaged() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("asset");
    chaincode(&root);
    fs::write(root.join("main.go"), "package main\n\nfunc main() {\n\tundeclared()\n}\n").unwrap();
    let arguments = ["package", "asset", "--label", "basic_1.0"];
    let refused = selvedge(directory.path(), &arguments);
    let reason = "main.go:4:2: undefined: undeclared";
    check(&refused, 1, &[], &["the chaincode does not compile", reason, "--no-compile"]);
    assert_eq!(names(directory.path()), ["asset"]);

    let without_go = command(directory.path(), &arguments).env("PATH", "").output().unwrap();
    check(&without_go, 0, &["Wrote"], &["not compiled before packaging: there is no `go`"]);
    let by_wish = [&arguments[..], &["--force", "--no-compile"]].concat();
    check(&selvedge(directory.path(), &by_wish), 0, &["Wrote"], &[]);
}

#[test]
fn package_and_inspect() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(&directory.path().join("asset"));
    let output = selvedge(directory.path(), &["package", "asset", "--label", "basic_1.0"]);
    let told = [
        "Wrote basic_1.0.tar.gz (",
        "package ID  basic_1.0:",
        "type        golang",
        "path        example.com/asset",
        "went in     2 files, 63 B",
        "        34 B  src/go.mod\n",
        "left out\n  .git/ (hidden)\n",
    ];
    check(&output, 0, &told, &[]);
    assert_eq!(names(directory.path()), ["asset", "basic_1.0.tar.gz"]);

    let output = selvedge(directory.path(), &["inspect", "basic_1.0.tar.gz"]);
    let told = [
        "package ID  basic_1.0:",
        "label       basic_1.0",
        "files       2",
        "src/main.go",
        "nothing speaks against it",
    ];
    check(&output, 0, &told, &[]);
}

#[test]
fn json_for_scripts() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(directory.path());
    let output = selvedge(directory.path(), &["package", ".", "-l", "basic_1.0", "--json"]);
    check(&output, 0, &["package_id"], &[]);
    let written: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(written["file"], "basic_1.0.tar.gz");
    assert_eq!(written["files"][0]["path"], "src/go.mod");
    assert_eq!(written["left_out"][0]["reason"], "hidden");

    let output = selvedge(directory.path(), &["inspect", "basic_1.0.tar.gz", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["package_id"], written["package_id"]);
    assert_eq!(report["metadata"]["label"], "basic_1.0");
    assert_eq!(report["refusals"], serde_json::json!([]));
}

#[test]
fn an_existing_file_stays_unless_forced() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(&directory.path().join("asset"));
    fs::write(directory.path().join("out"), "mine").unwrap();
    let arguments = ["package", "asset", "-l", "a", "-o", "out"];
    let output = selvedge(directory.path(), &arguments);
    check(&output, 1, &[], &["error: out exists already; --force replaces it\n"]);
    assert_eq!(fs::read(directory.path().join("out")).unwrap(), b"mine");
    let output = selvedge(directory.path(), &[&arguments[..], &["--force"]].concat());
    check(&output, 0, &["Wrote out"], &[]);
}

#[test]
fn sources_that_cannot_be_packaged() {
    type Spoil = fn(&Path);
    let cases: [(Spoil, &str); 4] = [
        (|root| fs::remove_file(root.join("go.mod")).unwrap(), "there is no go.mod in it or above"),
        (|root| fs::remove_file(root.join("main.go")).unwrap(), "holds no `package main`"),
        (
            |root| symlink("/etc/passwd", root.join("link")).unwrap(),
            "link is a symbolic link to /etc/passwd",
        ),
        (|root| fs::remove_dir_all(root).unwrap(), "cannot read asset: No such file"),
    ];
    for (spoil, reason) in cases {
        let directory = tempfile::tempdir().unwrap();
        chaincode(&directory.path().join("asset"));
        spoil(&directory.path().join("asset"));
        let output = selvedge(directory.path(), &["package", "asset", "-l", "a"]);
        check(&output, 1, &[], &["error: ", reason]);
        assert!(!directory.path().join("a.tar.gz").exists());
    }
}

#[test]
fn wrong_usage() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, reason) in [
        (&["package", ".", "-l", "a b"][..], "invalid label `a b`: a label begins with"),
        (&["package", "."], "--label <LABEL>"),
        (&["unpack"], "unrecognized subcommand"),
        (&[], "Usage: selvedge"),
    ] {
        check(&selvedge(directory.path(), arguments), 2, &[], &[reason]);
    }
}

#[test]
fn help_teaches() {
    let directory = tempfile::tempdir().unwrap();
    let help = selvedge(directory.path(), &["--help"]);
    check(&help, 0, &["Exit codes: 0 done; 1 refused or failed; 2 wrong usage", "NO_COLOR"], &[]);
    let help = selvedge(directory.path(), &["package", "--help"]);
    check(&help, 0, &["Examples:", "peer lifecycle chaincode install", "--force"], &[]);
    for (arguments, example) in [
        (&["config", "check", "--help"][..], "| selvedge config check -"),
        (&["config", "show", "--help"], "selvedge config show --label basic_1.0 --msp Org1MSP"),
        (&["config", "schema", "--help"], "# yaml-language-server: $schema="),
        (&["config", "default", "--help"], "selvedge config default --backend kubernetes >"),
        (&["render", "--help"], "| kubectl apply --dry-run=server -f -"),
        (&["status", "--help"], "kubectl exec peer0-0 -c launcher -- selvedge status"),
        (&["logs", "--help"], "selvedge logs basic_1.0 --follow --tail 20"),
        (&["builds", "--help"], "selvedge builds 3 --follow"),
    ] {
        check(&selvedge(directory.path(), arguments), 0, &["Examples:", example], &[]);
    }
    for shell in ["bash", "zsh", "fish"] {
        check(&selvedge(directory.path(), &["completions", shell]), 0, &["inspect"], &[]);
    }
}

fn with(entry: Crafted) -> Vec<u8> {
    let files = [Crafted::file("src/go.mod", GO_MOD), Crafted::file("src/main.go", MAIN_GO), entry];
    package(METADATA, files)
}

#[test]
fn packages_that_would_be_refused() {
    let good = with(Crafted::file("src/other.go", MAIN_GO));
    let symlink = Crafted::link("src/l", EntryType::Symlink, "/etc/passwd");
    let no_module = gzip(&tar([Crafted::file("src/main.go", MAIN_GO)]));
    let bomb = package_around(METADATA, zeros("src/zeros", 128));
    let bad_label = METADATA.replace("basic_1.0", "_basic");
    for (name, content, reason) in [
        ("truncated", good[..good.len() - 30].to_vec(), "by the peer: package: truncated"),
        ("no gzip", b"PK\x03\x04".to_vec(), "by the peer: package: not a gzip file"),
        ("empty", Vec::new(), "by the peer: package: not a gzip file"),
        ("bomb", bomb, "by Selvedge: code.tar.gz: unpacks to more than 536870912 bytes"),
        ("dots", with(Crafted::file("../evil", "")), "by the peer: ../evil: has `..` in its path"),
        (
            "absolute",
            with(Crafted::file("/etc/evil", "")),
            "by the peer: /etc/evil: is an absolute path",
        ),
        ("symlink", with(symlink), "by the peer: src/l: is a symbolic link to `/etc/passwd`"),
        ("no metadata", gzip(&tar([Crafted::file("code.tar.gz", "")])), "holds no metadata.json"),
        (
            "malformed",
            package_around("{", no_module.clone()),
            "metadata.json: is not a JSON object",
        ),
        (
            "label",
            package_around(&bad_label, no_module.clone()),
            "metadata.json: invalid label `_basic`",
        ),
        (
            "no module",
            package_around(METADATA, no_module),
            "code.tar.gz: the code holds no Go module",
        ),
    ] {
        println!("{name}");
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("some.tar.gz"), content).unwrap();
        let output = selvedge(directory.path(), &["inspect", "some.tar.gz"]);
        check(&output, 1, &["some.tar.gz (", "would be refused\n", reason], &[]);
        let output = selvedge(directory.path(), &["inspect", "--json", "some.tar.gz"]);
        check(&output, 1, &["\"refusals\": [\n    {\n"], &[]);
        assert_eq!(names(directory.path()), ["some.tar.gz"]);
    }
    let directory = tempfile::tempdir().unwrap();
    let output = selvedge(directory.path(), &["inspect", "absent"]);
    check(&output, 1, &[], &["error: cannot read absent: No such file"]);
}

#[test]
fn inspect_finds_what_the_compiler_finds() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    chaincode(&root.join("asset"));
    let broken = MAIN_GO.replace("{}", "{ undeclared() }");
    for (label, source, code, verdict) in [
        ("good", MAIN_GO, 0, "nothing speaks against it\n"),
        ("broken", &broken, 1, "code.tar.gz: does not compile: ./main.go:3:15: undefined: undecl"),
    ] {
        fs::write(root.join("asset/main.go"), source).unwrap();
        let packaged = selvedge(root, &["package", "asset", "--no-compile", "-l", label]);
        check(&packaged, 0, &["Wrote"], &[]);
        let file = format!("{label}.tar.gz");
        check(&selvedge(root, &["inspect", "--compile", &file]), code, &[verdict], &[]);
        let without_go = command(root, &["inspect", "-c", &file]).env("PATH", "").output().unwrap();
        check(
            &without_go,
            1,
            &[],
            &["error: --compile cannot compile: there is no `go` in the PATH"],
        );
    }
}

/// A child that is killed when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the process has a file open below `directory`.
fn writes_into(process: u32, directory: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|file| file.starts_with(directory)))
}

#[test]
fn ctrl_c_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    chaincode(&root.join("asset"));
    fs::create_dir(root.join("out")).unwrap();
    // Zeros take no space on the disk, but seconds to compress.
    let large = fs::File::create(root.join("asset/large")).unwrap();
    large.set_len(500 << 20).unwrap();
    let child = command(&root, &["package", "asset", "-l", "a", "-o", "out/a.tar.gz"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !writes_into(running.0.id(), &root.join("out")) {
        assert!(running.0.try_wait().unwrap().is_none(), "ended before it was interrupted");
        assert!(Instant::now() < deadline, "never began to write");
        std::thread::yield_now();
    }
    let process = running.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    let mut told = String::new();
    running.0.stderr.as_mut().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "error: interrupted; nothing was written\n");
    assert_eq!(names(&root.join("out")), Vec::<String>::new());
}
