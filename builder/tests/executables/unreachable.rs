//! A launcher that is not there, or is something else: one line, with the address.

use std::{
    fs::{self, Permissions},
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, net::UnixListener, process::CommandExt as _},
    process::Command,
    thread,
};

use rustix::process::geteuid;

use crate::{
    executable::{Executable, names},
    launcher::Launcher,
    sandbox::Sandbox,
};

/// That both executables that need the launcher fail with one line, which has the
/// address and these words.
fn assert_both_say(sandbox: &Sandbox, words: &str) {
    let run = Executable::start(&mut sandbox.run());
    let failed = Sandbox::new();
    let address = format!("unix:{}", sandbox.socket().display());
    let build = Executable::start(failed.build().env("SELVEDGE_LAUNCHER", &address));
    for outcome in [run.end(), build.end()] {
        assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
        assert!(outcome.reason().contains(&address), "{outcome:?}");
        assert!(outcome.reason().contains(words), "{outcome:?}");
    }
    assert!(names(&failed.path("out")).is_empty());
}

#[test]
fn no_socket() {
    assert_both_say(&Sandbox::built(), "no launcher at unix:");
}

#[test]
fn a_socket_that_a_dead_launcher_left() {
    let sandbox = Sandbox::built();
    drop(UnixListener::bind(sandbox.socket()).unwrap());
    assert_both_say(&sandbox, "Connection refused");
}

#[test]
fn a_socket_for_others_only() {
    const NOBODY: u32 = 65534;
    let sandbox = Sandbox::built();
    let _listener = UnixListener::bind(sandbox.socket()).unwrap();
    fs::set_permissions(sandbox.socket(), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut run = sandbox.run();
    // Nothing is forbidden to root, which may run these tests.
    if geteuid().is_root() {
        let copy = sandbox.path("run");
        // By another process: while this one has a program open to write it, a test beside it that
        // forks would keep it from being run (ETXTBSY).
        let copied = Command::new("cp").arg(run.get_program()).arg(&copy).status();
        assert!(copied.unwrap().success());
        let arguments = [sandbox.path("out"), sandbox.path("runmeta")];
        let socket = format!("unix:{}", sandbox.socket().display());
        run = Command::new(copy);
        run.args(arguments).env_clear().env("SELVEDGE_LAUNCHER", socket).uid(NOBODY);
    }
    let outcome = Executable::start(&mut run).end();
    assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
    assert!(outcome.reason().starts_with("not allowed to connect to"), "{outcome:?}");
    assert!(outcome.reason().contains(sandbox.socket().to_str().unwrap()), "{outcome:?}");
}

#[test]
fn a_launcher_of_another_version() {
    let sandbox = Sandbox::built();
    let _launcher = Launcher::of_another_version(&sandbox.socket());
    assert_both_say(&sandbox, "is of another version: it does not know selvedge.launcher.v1");
}

#[test]
fn something_that_is_no_launcher() {
    let sandbox = Sandbox::built();
    let listener = UnixListener::bind(sandbox.socket()).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    assert_both_say(
        &sandbox,
        "is no Selvedge launcher: set SELVEDGE_LAUNCHER to where the launcher listens and list \
         that in the builder's propagateEnvironment",
    );
}

#[test]
fn something_that_takes_the_connection_and_is_silent() {
    let sandbox = Sandbox::built();
    let _listener = UnixListener::bind(sandbox.socket()).unwrap();
    assert_both_say(&sandbox, "does not answer");
}

#[test]
fn one_apart_that_is_not_there_or_wants_credentials_that_are_not() {
    let sandbox = Sandbox::built();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tls:{}", listener.local_addr().unwrap());
    let run = |credentials: &str| {
        let mut run = sandbox.run();
        run.env("SELVEDGE_LAUNCHER", &address);
        run.env("SELVEDGE_CREDENTIALS", sandbox.path(credentials));
        Executable::start(&mut run).end()
    };
    let outcome = run("nowhere");
    assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
    let expected = format!(
        "cannot use what the launcher at {address} is to be shown, in {directory}: have it issued by \
         `selvedge-launcher issue PEER`, where the launcher is, and name its directory by \
         SELVEDGE_CREDENTIALS: cannot read {directory}/ca.crt: No such file",
        directory = sandbox.path("nowhere").display()
    );
    assert!(outcome.reason().starts_with(&expected), "{outcome:?}");
    sandbox.write("empty/ca.crt", "no PEM");
    assert!(run("empty").reason().contains("not what it has to be, PEM with a certificate"));
    drop(listener);
    assert!(run("nowhere").reason().starts_with(&format!("no launcher at {address}: ")));
}

#[test]
fn an_address_that_is_none() {
    let sandbox = Sandbox::built();
    let mut run = sandbox.run();
    let outcome = Executable::start(run.env("SELVEDGE_LAUNCHER", "launcher:7050")).end();
    assert_eq!((outcome.code, outcome.lines.len()), (1, 1));
    assert!(outcome.reason().starts_with("SELVEDGE_LAUNCHER is \"launcher:7050\""), "{outcome:?}");
}

#[test]
fn without_a_setting_the_default_address_is_tried() {
    let sandbox = Sandbox::built();
    let outcome = Executable::start(sandbox.run().env_remove("SELVEDGE_LAUNCHER")).end();
    assert_eq!(outcome.code, 1);
    assert!(outcome.reason().contains("unix:/run/selvedge/launcher.sock"), "{outcome:?}");
}

#[test]
fn a_launcher_that_comes_a_little_later_is_found() {
    let sandbox = Sandbox::built();
    let run = Executable::start(&mut sandbox.run());
    let _launcher = Launcher::of_another_version(&sandbox.socket());
    assert!(run.end().reason().contains("is of another version"));
}
