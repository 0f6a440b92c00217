//! Programs that are compiled already: in the package, or on the peer's machine, as those of Fabric's
//! own suites are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use e2e::{Op, Process, Turn, chaincode_dir};
use testbed::process::wait_until;
use testbed::{binaries, go_program};

use crate::builds::{append, archive, install_fails};
use crate::ledger::definition;
use crate::link::SOON;
use crate::many::{PROGRAMS, STAGE};

/// The ledger contract, linked statically.
fn program() -> PathBuf {
    go_program::obtain(&chaincode_dir("ledger"), &mut |line| eprintln!("{line}")).unwrap()
}

/// A package with nothing but metadata (Fabric `integration/nwo/package.go`,
/// `PackageChaincodeBinary`).
fn naming(turn: &Turn<'_>, program: &Path, label: &str) -> PathBuf {
    let program = program.display();
    let metadata = format!(r#"{{"path":"{program}","type":"binary","label":"{label}"}}"#);
    let whole = archive(|tar| {
        append(tar, "metadata.json", metadata.as_bytes())?;
        append(tar, "code.tar.gz", &archive(|_| Ok(())))
    });
    let file = turn.network.dir().join(format!("{label}.tar.gz"));
    fs::write(&file, whole).unwrap();
    file
}

/// What it wrote is there, also after its process was killed.
fn keeps_what_it_writes(turn: &Turn<'_>, name: &str) {
    let mut gateway = turn.gateway(name);
    gateway.call(Op::Submit, &["Put", "k", "of a program"]).unwrap();
    let pid = gateway.call(Op::Evaluate, &["Pid"]).unwrap();
    Process::known_as(&pid).kill();
    // What is called meanwhile may be told that it is away.
    let is_back = || gateway.call(Op::Evaluate, &["Pid"]).is_ok_and(|next| next != pid);
    assert!(wait_until(SOON, is_back), "it does not come back");
    assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "of a program");
}

#[test]
fn a_program_in_the_package_is_installed_and_lives_on() {
    let turn = STAGE.enter();
    turn.deploy(&program(), &definition("program"));
    keeps_what_it_writes(&turn, "program");
}

#[test]
fn a_program_of_the_peers_machine_is_taken_where_it_may_be() {
    let turn = STAGE.enter();
    // Linked dynamically, as what `go build` makes where there is a C compiler, too.
    let program = Path::new(PROGRAMS).join("dynamic");
    fs::create_dir_all(PROGRAMS).unwrap();
    let ledger = chaincode_dir("ledger");
    binaries::go_build(&ledger, &program, &["-buildmode=pie", "."], &mut |_| {}).unwrap();
    let package = naming(&turn, &program, "dynamic");
    turn.network.deploy(&package, &definition("dynamic")).unwrap();
    // What was installed runs, whatever becomes of the file.
    fs::remove_file(&program).unwrap();
    keeps_what_it_writes(&turn, "dynamic");
}

#[test]
fn what_is_no_program_for_here_is_refused_by_name() {
    let turn = STAGE.enter();
    let elsewhere = Path::new("/etc/passwd");
    let reason = ["/etc/passwd", "lies in no directory of those that SELVEDGE_PROGRAMS names"];
    install_fails(&turn, &naming(&turn, elsewhere, "elsewhere"), &reason);

    fs::create_dir_all(PROGRAMS).unwrap();
    let script = Path::new(PROGRAMS).join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    install_fails(&turn, &naming(&turn, &script, "script"), &["script", "is a script"]);

    // Of another machine: the 18th byte says which (`e_machine`).
    let mut content = fs::read(program()).unwrap();
    content[18] = 8;
    let package = turn.network.dir().join("foreign.tar.gz");
    let code = archive(|tar| append(tar, "src/foreign", &content));
    let metadata = br#"{"path":"foreign","type":"binary","label":"foreign"}"#;
    let whole = archive(|tar| {
        append(tar, "metadata.json", metadata)?;
        append(tar, "code.tar.gz", &code)
    });
    fs::write(&package, whole).unwrap();
    let reason = ["src/foreign is a program for linux/machine 8, and chaincode runs on linux/"];
    install_fails(&turn, &package, &reason);
}
