//! Sources that cannot be built: the peer's log has the reason, and nothing is left.

use std::path::Path;
use std::process::Command;

use e2e::{Remains, Turn, chaincode_dir};
use flate2::Compression;
use flate2::write::GzEncoder;
use testbed::dist_dir;

use crate::ledger::STAGE;
use crate::link::SOON;

/// Installs a package that cannot be built. The installer gets from the peer that the build
/// failed, and no more (`core/container/externalbuilder/session.go` keeps the exit status
/// alone); the peer's log has `reason`.
pub(crate) fn install_fails(turn: &Turn<'_>, package: &Path, reason: &[&str]) {
    let before = Remains::of(turn);
    let installed = turn.peer().query_installed().unwrap();
    let error = turn.peer().install(package).unwrap_err();
    let told = "external builder 'selvedge' failed: exit status 1";
    assert!(error.stderr().contains(told), "{error}");

    let wanted = reason.join("…");
    let has_reason = |line: &str| {
        line.contains("[chaincode.externalbuilder.selvedge]")
            && reason.iter().all(|part| line.contains(part))
    };
    turn.peer().log().wait_for(turn.peer_mark, &wanted, SOON, has_reason).unwrap();
    assert_eq!(turn.peer().query_installed().unwrap(), installed);
    assert_eq!(Remains::of(turn), before);
}

#[test]
fn the_compilers_first_error_reaches_the_peers_log_and_the_installer() {
    let turn = STAGE.enter();
    let package = turn.package(&chaincode_dir("nocompile"), "nocompile_1.0");
    let error = "main.go:5:2: undefined: undeclared";
    install_fails(&turn, &package, &["the chaincode does not compile: ", error]);

    // Who packages it is told before there is anything to install.
    let selvedge = Command::new(dist_dir().join("bin/selvedge"))
        .arg("package")
        .arg(chaincode_dir("nocompile"))
        .args(["--force", "--label", "nocompile_1.0", "-o"])
        .arg(&package)
        .output()
        .unwrap();
    assert_eq!(selvedge.status.code(), Some(1));
    let told = String::from_utf8_lossy(&selvedge.stderr);
    assert!(told.contains(error), "{told}");
}

#[test]
fn a_source_without_a_module_is_refused_with_what_to_do() {
    let turn = STAGE.enter();
    // `selvedge package` makes no such package; other tools do.
    let package = turn.network.dir().join("nomodule.tar.gz");
    let source = chaincode_dir("nomodule");
    let code = archive(|tar| tar.append_dir_all("src", &source));
    let metadata = br#"{"type":"golang","path":"nomodule","label":"nomodule_1.0"}"#;
    let whole = archive(|tar| {
        append(tar, "metadata.json", metadata)?;
        append(tar, "code.tar.gz", &code)
    });
    std::fs::write(&package, whole).unwrap();
    install_fails(&turn, &package, &["the chaincode cannot be built", "go.mod"]);
}

pub(crate) type Tar = tar::Builder<GzEncoder<Vec<u8>>>;

/// A compressed tar with what is filled in.
pub(crate) fn archive(fill: impl FnOnce(&mut Tar) -> std::io::Result<()>) -> Vec<u8> {
    let mut tar = Tar::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut tar).unwrap();
    tar.into_inner().and_then(GzEncoder::finish).unwrap()
}

pub(crate) fn append(tar: &mut Tar, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, name, content)
}
