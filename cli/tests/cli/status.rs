//! `selvedge status` where no launcher answers: what is wrong, and the way out.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use rustix::process::geteuid;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::{check, command, selvedge};

const NOBODY: u32 = 65534;

/// A directory with a place for a socket.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> &Path {
        self.directory.path()
    }

    fn socket(&self) -> PathBuf {
        self.root().join("launcher.sock")
    }

    fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    fn status(&self) -> Output {
        selvedge(self.root(), &["status", "--launcher", &self.address()])
    }
}

#[test]
fn no_launcher() {
    let scene = Scene::new();
    let told = format!(
        "error: no launcher at {}: start selvedge-launcher, or name where the launcher listens by \
         --launcher or SELVEDGE_LAUNCHER: No such file",
        scene.address()
    );
    check(&scene.status(), 1, &[], &[&told]);
    let by_variable = |address: &str| {
        let mut status = command(scene.root(), &["status", "--json"]);
        status.env("SELVEDGE_LAUNCHER", address).output().unwrap()
    };
    check(&by_variable(&scene.address()), 1, &[], &[&told]);
    drop(UnixListener::bind(scene.socket()).unwrap());
    check(&scene.status(), 1, &[], &["no launcher at ", "Connection refused"]);
    // An empty variable is as good as none.
    let usual = "no launcher at unix:/run/selvedge/launcher.sock: start selvedge-launcher, or name";
    check(&by_variable(""), 1, &[], &[usual]);
    check(&by_variable("launcher:7050"), 1, &[], &["SELVEDGE_LAUNCHER is \"launcher:7050\""]);
}

#[test]
fn an_address_that_is_none() {
    let scene = Scene::new();
    let output = selvedge(scene.root(), &["status", "--launcher", "tcp:127.0.0.1:7050"]);
    let told = "expected unix: and the absolute path of the launcher's socket, such as \
                unix:/run/selvedge/launcher.sock";
    check(&output, 2, &[], &["tcp:127.0.0.1:7050", told]);
}

#[test]
fn a_socket_for_others_only() {
    let scene = Scene::new();
    let _listener = UnixListener::bind(scene.socket()).unwrap();
    fs::set_permissions(scene.socket(), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(scene.root(), Permissions::from_mode(0o755)).unwrap();
    // Nothing is forbidden to root, which may run these tests.
    let output = if geteuid().is_root() {
        let copy = scene.root().join("selvedge");
        // By another process: while this one has a program open to write it, a test beside it that
        // forks would keep it from being run (ETXTBSY).
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_selvedge")).arg(&copy).status();
        assert!(copied.unwrap().success());
        let mut status = Command::new(copy);
        status.args(["status", "--launcher", &scene.address()]).uid(NOBODY).output().unwrap()
    } else {
        scene.status()
    };
    let told = format!(
        "error: not allowed to connect to the launcher at {}: be the user who owns the socket, or \
         one who is in its group",
        scene.address()
    );
    check(&output, 1, &[], &[&told]);
}

#[test]
fn a_launcher_that_is_older() {
    let scene = Scene::new();
    let runtime = Runtime::new().unwrap();
    let incoming = {
        let _inside = runtime.enter();
        UnixListenerStream::new(tokio::net::UnixListener::bind(scene.socket()).unwrap())
    };
    // Of the API it knows nothing: so it is with a method that an older one has not.
    let server = Server::builder().add_routes(Routes::default());
    runtime.spawn(server.serve_with_incoming(incoming));
    let told = "is of another version: it cannot tell that; update the launcher, or use";
    check(&scene.status(), 1, &[], &["error: the launcher at ", told]);
    let address = scene.address();
    for arguments in
        [&["logs", "basic_1.0"][..], &["logs", "-f", "x"], &["builds"], &["builds", "1"]]
    {
        let asked = [arguments, &["--launcher", &address]].concat();
        check(&selvedge(scene.root(), &asked), 1, &[], &["error: the launcher at ", told]);
    }
    runtime.shutdown_background();
}

#[test]
fn something_that_is_no_launcher() {
    let scene = Scene::new();
    let listener = UnixListener::bind(scene.socket()).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // Who has hung up by then has heard enough.
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let told = "is no Selvedge launcher: name where the launcher listens by --launcher";
    check(&scene.status(), 1, &[], &["error: what listens at ", told]);
}
