//! Packages, made in the ways in which people make them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testbed::{Packaging, PeerClient, Scratch, dist_dir};

/// Packages a directory with `selvedge package` into `file`.
///
/// # Panics
///
/// When `selvedge` refuses.
pub fn package(source: &Path, label: &str, file: &Path) {
    let output = Command::new(dist_dir().join("bin/selvedge"))
        .arg("package")
        .arg(source)
        // The launcher compiles it anyway, and some suites want to see it fail there.
        .args(["--no-compile", "--force", "--label", label, "-o"])
        .arg(file)
        .output()
        .expect("selvedge runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(file.is_file(), "selvedge package wrote no {}", file.display());
}

/// Packages a directory with the `peer` CLI, which stands in it, into `file`; `language` is what the
/// CLI calls it.
///
/// # Panics
///
/// When the CLI refuses.
pub fn package_by_peer(peer: &PeerClient, language: &str, source: &Path, label: &str, file: &Path) {
    let path = source.to_str().expect("a path that is text");
    let environment = Vec::new();
    let packaging = Packaging { language, path, directory: source, environment, label, file };
    peer.package(&packaging).unwrap_or_else(|error| panic!("{error}"));
}

/// Packages what is in a directory with `tar`, as Fabric's samples and suites do with what the `peer`
/// CLI has no language for, into `file`.
///
/// # Panics
///
/// When `tar` fails.
pub fn package_by_hand(metadata: &Value, code: &Path, file: &Path) {
    let scratch = Scratch::create().expect("a scratch directory");
    let package = scratch.dir().path();
    let described = fs::write(package.join("metadata.json"), metadata.to_string());
    described.expect("metadata.json is written");
    tar(code, &package.join("code.tar.gz"), &["."]);
    tar(package, file, &["metadata.json", "code.tar.gz"]);
}

fn tar(directory: &Path, archive: &Path, names: &[&str]) {
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(directory).arg("-czf").arg(archive).args(names);
    assert!(tar.status().expect("tar runs").success(), "{tar:?}");
}

/// Makes the jar of our own Java chaincode as its author does, without a word of Selvedge's: in
/// `project`, a copy of it. The jar lies alone in `directory`, which is made.
///
/// # Panics
///
/// When Maven fails.
pub fn make_jar(project: &Path, directory: &Path) {
    let made = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "package"])
        .current_dir(project)
        .output()
        .expect("Maven runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    fs::create_dir_all(directory).expect("a directory for the jar");
    let jar = fs::copy(project.join("target/chaincode.jar"), directory.join("chaincode.jar"));
    jar.expect("the jar is there");
}
