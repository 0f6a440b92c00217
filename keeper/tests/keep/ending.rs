//! A container that is to end: its chaincode has the time that its transactions take.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use super::*;

/// Longer than any of these tests.
const AGES: &str = "--drain-ms=3600000";

/// What a keeper says once it waits for transactions.
const WAITS: &str = "it is to end, its transactions may finish within";

/// Chaincode that notes that it was asked to end, and ends when it may (`go`).
const HEEDS: &str = r#"trap 'touch "$1/asked"; exit 7' TERM
    touch "$1/runs"; while [ ! -e "$1/go" ]; do sleep 0.01; done; exit 4"#;

/// Chaincode that never ends on SIGTERM.
const STUBBORN: &str = r#"trap '' TERM; touch "$1/runs"; while :; do sleep 0.01; done"#;

/// Both ends of a connection as a keeper sees it: all of this machine's are in one network.
struct Connection {
    /// As long as somebody listens there, the keeper starts what it keeps.
    _listener: TcpListener,
    _dialled: TcpStream,
    accepted: TcpStream,
}

impl Connection {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        Self { _listener: listener, _dialled: dialled, accepted }
    }

    /// The option by which the keeper of one that dialled knows it.
    fn of_client(&self) -> String {
        format!("--proxy={}", self.accepted.local_addr().unwrap())
    }

    /// The same of one that listens.
    fn of_server(&self) -> String {
        format!("--server-port={}", self.accepted.local_addr().unwrap().port())
    }
}

impl Kept {
    /// One whose container was asked to end, and which waits for its transactions.
    fn draining(connection: &str, script: &str) -> Self {
        let mut kept = Self::start_with(&[AGES, connection], script);
        kept.await_file("runs");
        kept.signal(Signal::TERM);
        let line = kept.line();
        assert!(line.starts_with(PREFIX) && line.contains(WAITS), "{line}");
        kept
    }

    fn was_asked(&self) -> bool {
        self.scratch.path().join("asked").exists()
    }
}

#[test]
fn one_that_ends_with_its_stream_is_not_asked() {
    let connection = Connection::new();
    for option in [connection.of_client(), connection.of_server()] {
        let mut kept = Kept::draining(&option, HEEDS);
        fs::write(kept.scratch.path().join("go"), "").unwrap();
        assert_eq!(kept.end().code(), Some(4));
        assert!(!kept.was_asked());
    }
}

#[test]
fn one_that_stays_is_asked_when_its_connection_has_ended() {
    for option in [Connection::of_client, Connection::of_server] {
        let connection = Connection::new();
        let mut kept = Kept::draining(&option(&connection), HEEDS);
        assert!(!kept.was_asked());
        drop(connection);
        assert_eq!(kept.end().code(), Some(7));
    }
}

#[test]
fn one_whose_transactions_take_too_long_is_asked_all_the_same() {
    let connection = Connection::new();
    let options = ["--drain-ms=100", &connection.of_client()];
    let mut kept = Kept::start_with(&options, HEEDS);
    kept.await_file("runs");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(7));
}

#[test]
fn a_second_signal_does_not_wait() {
    let connection = Connection::new();
    let mut kept = Kept::draining(&connection.of_client(), HEEDS);
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(7));
}

#[test]
fn one_without_a_connection_is_asked_at_once() {
    let ended = Connection::new().of_server();
    let mut kept = Kept::start_with(&[AGES, &ended], HEEDS);
    kept.await_file("runs");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(7));
    let mut said = String::new();
    kept.said.read_to_string(&mut said).unwrap();
    assert!(!said.contains(WAITS), "{said}");
}

#[test]
fn one_that_does_not_end_is_killed() {
    let mut kept = Kept::start_with(&["--grace-ms=100"], STUBBORN);
    kept.await_file("runs");
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(128 + 9));
    let killed = "it did not end within 0.1 s, and is killed";
    assert!(kept.said.by_ref().lines().any(|line| line.unwrap().contains(killed)));
}
