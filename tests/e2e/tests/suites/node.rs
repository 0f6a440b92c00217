//! Node chaincode as people have it: JavaScript, TypeScript that nobody has compiled, and one that
//! brings its dependencies along.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener as Server;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use e2e::{Op, Process, Turn, chaincode_dir, package_by_peer, processes_of};
use testbed::Definition;
use testbed::dist::dist_dir;
use testbed::process::wait_until;

use crate::builds::install_fails;
use crate::link::SOON;
use crate::many::STAGE;
use crate::told;

/// How long a runtime may take to be ready: on a busy machine several times the 5 s of a JVM on one
/// that is not.
const READY: Duration = Duration::from_secs(90);

/// What it wrote is there, also after its process was killed.
pub(crate) fn keeps_what_it_writes(turn: &Turn<'_>, name: &str) {
    let mut gateway = turn.gateway(name);
    gateway.call(Op::Submit, &["Put", "k", name]).unwrap();
    let pid = gateway.call(Op::Evaluate, &["Pid"]).unwrap();
    Process::known_as(&pid).kill();
    // A runtime takes its time to start; what is called meanwhile may be told so.
    let mut pid_of_next = String::new();
    let is_back = || match gateway.call(Op::Evaluate, &["Pid"]) {
        Ok(pid) => {
            pid_of_next = pid;
            true
        }
        Err(_) => false,
    };
    assert!(wait_until(READY, is_back), "it does not come back");
    assert_ne!(pid_of_next, pid);
    assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), name);
}

#[test]
fn javascript_is_installed_and_lives_on() {
    let turn = STAGE.enter();
    let package_id = turn.deploy(&chaincode_dir("javascript"), &Definition::new("javascript"));
    let parts = told::parts(&turn, &package_id);
    assert!(parts.contains(&"pkg:npm/fabric-shim@2.5.8".to_owned()), "{parts:?}");
    keeps_what_it_writes(&turn, "javascript");
    // What it says reaches the peer's log.
    let line = "javascript: k is put";
    let logged = turn.peer().log().wait_for_line(turn.peer_mark, line, SOON).unwrap();
    assert!(logged.contains("[chaincode.externalbuilder.selvedge]"), "{logged}");
    // The same source again is the same image, found.
    let again = turn.package(&chaincode_dir("javascript"), "again_1.0");
    turn.peer().install(&again).unwrap();
    let known = "the image of this source is there already";
    assert!(turn.launcher_lines().contains(known), "{}", turn.launcher_lines());
}

#[test]
fn typescript_is_compiled_where_it_is_installed() {
    let turn = STAGE.enter();
    let package = package(&turn, &chaincode_dir("typescript"), "typescript_1.0");
    turn.network.deploy(&package, &Definition::new("typescript")).unwrap();
    keeps_what_it_writes(&turn, "typescript");
    // By npm: the script before the start ran, too.
    let line = "typescript: about to start";
    turn.peer().log().wait_for_line(turn.peer_mark, line, SOON).unwrap();
}

#[test]
fn dependencies_in_the_package_are_used_as_they_are() {
    let turn = STAGE.enter();
    let package = turn.network.dir().join("packed.tar.gz");
    let selvedge = Command::new(dist_dir().join("bin/selvedge"))
        .args(["package", "--vendor", "--label", "packed", "--output"])
        .arg(&package)
        .arg(chaincode_dir("javascript"))
        .output()
        .unwrap();
    assert!(selvedge.status.success(), "{}", String::from_utf8_lossy(&selvedge.stderr));
    turn.network.deploy(&package, &Definition::new("packed")).unwrap();
    keeps_what_it_writes(&turn, "packed");
}

/// As the script `start:server-nontls` of Fabric's samples has it; its certificate it finds by
/// variables.
const SERVER: &str = "set -x && fabric-chaincode-node server \
    --chaincode-address=$CHAINCODE_SERVER_ADDRESS --chaincode-id=$CHAINCODE_ID";

#[test]
fn one_that_listens_is_dialled() {
    let turn = STAGE.enter();
    let source = copy(&turn, "javascript", "serving");
    let text = fs::read_to_string(source.join("package.json")).unwrap();
    let serving = text.replace("\"fabric-chaincode-node start\"", &format!("\"{SERVER}\""));
    assert_ne!(serving, text);
    fs::write(source.join("package.json"), serving).unwrap();
    let package = package(&turn, &source, "serving");
    let package_id = turn.network.deploy(&package, &Definition::new("serving")).unwrap();
    keeps_what_it_writes(&turn, "serving");
    is_told_to_listen(&turn, &package_id);
}

/// Its process has an address of its own, and the one connection is the proxy's to it.
pub(crate) fn is_told_to_listen(turn: &Turn<'_>, package_id: &str) {
    let process = processes_of(turn, package_id).pop().unwrap();
    assert!(process.environment().contains("CHAINCODE_SERVER_ADDRESS=127.0.0.1:"));
}

#[test]
fn what_cannot_be_installed_is_told_by_name() {
    let turn = STAGE.enter();
    let source = copy(&turn, "javascript", "unstarted");
    let text = fs::read_to_string(source.join("package.json")).unwrap();
    let without = text.replace("\"start\"", "\"begin\"");
    fs::write(source.join("package.json"), without).unwrap();
    let reason = ["the chaincode cannot be built", "has no script `start`"];
    install_fails(&turn, &package(&turn, &source, "unstarted"), &reason);

    let outdated = text.replace("\"fabric-shim\": \"2.5.8\"", "\"fabric-shim\": \"2.5.7\"");
    fs::write(source.join("package.json"), outdated).unwrap();
    let reason = ["the chaincode does not compile", "package.json and package-lock.json"];
    install_fails(&turn, &package(&turn, &source, "outdated"), &reason);
}

/// The registry is named, and how long it was tried.
#[test]
fn what_no_registry_has_and_a_registry_that_is_down() {
    let turn = STAGE.enter();
    let source = copy(&turn, "javascript", "unfetched");
    fs::remove_file(source.join("package-lock.json")).unwrap();
    let has_none = Server::bind("127.0.0.1:0").unwrap();
    let address = has_none.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in has_none.incoming().map_while(Result::ok) {
            // Who asks has begun to speak.
            let _ = connection.read(&mut [0; 4096]);
            let none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = connection.write_all(none.as_bytes());
        }
    });
    // Nothing listens on port 1.
    for (label, address, said) in [
        ("unknown", address.to_string(), "404 Not Found - GET http://"),
        ("down", "127.0.0.1:1".to_owned(), "ECONNREFUSED"),
    ] {
        let settings = format!("registry=http://{address}/\nfetch-retries=0\n");
        fs::write(source.join(".npmrc"), settings).unwrap();
        let named = format!("http://{address}/");
        let waited = "it was given up after ";
        let reason = ["the chaincode does not compile", said, &named, waited];
        install_fails(&turn, &package(&turn, &source, label), &reason);
    }
}

/// A copy of a chaincode's directory.
pub(crate) fn copy(turn: &Turn<'_>, of: &str, name: &str) -> PathBuf {
    let to = turn.network.dir().join("sources").join(name);
    testbed::copy::copy(&chaincode_dir(of), &to).unwrap();
    to
}

/// A package of the `peer` CLI's.
pub(crate) fn package(turn: &Turn<'_>, source: &Path, label: &str) -> PathBuf {
    packaged_by_peer(turn, "node", source, label)
}

/// The same of some language.
pub(crate) fn packaged_by_peer(
    turn: &Turn<'_>,
    language: &str,
    source: &Path,
    label: &str,
) -> PathBuf {
    let file = turn.network.dir().join(format!("{label}.tar.gz"));
    package_by_peer(turn.peer(), language, source, label, &file);
    file
}
