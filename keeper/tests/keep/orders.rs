//! A keeper whose chaincode is to run always, and whose launcher may have it killed: what hangs is there
//! again at once, and nothing else is done at anybody's word.

use std::net::TcpListener;

use selvedge_keeper::line::{LET_GO, RUNS, START, STOP, kill};
use selvedge_keeper::report::GIVEN_UP;
use testbed::hanging::hang;

use super::line::{Line, free_port};
use super::*;

/// It was there before anybody could have lost it.
const EVER: Duration = Duration::ZERO;

/// Nothing has run for so long.
const LONG: Duration = Duration::from_hours(1);

const RUN: &str = r#"touch "$1/runs"; exec sleep 1000"#;

fn attended(script: &str) -> (Kept, u16) {
    let port = free_port();
    let kept = Kept::start_with(&[&format!("--orders={port}")], script);
    kept.await_file("runs");
    (kept, port)
}

impl Kept {
    /// The one process of the script.
    fn process(&self) -> Pid {
        let mut processes = Vec::new();
        // While it becomes another program, it is none of them for a moment.
        let is_one = || {
            processes = self.processes();
            processes.len() == 1
        };
        assert!(wait_until(SOON, is_one), "{:?}", self.processes());
        let id = processes[0].file_name().and_then(|name| name.to_str()?.parse().ok());
        id.and_then(Pid::from_raw).unwrap()
    }

    fn ends_as_asked(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.end().code(), Some(128 + 15));
    }
}

#[test]
fn what_hangs_is_killed_and_started_again_and_the_log_says_why() {
    let (mut kept, port) = attended(RUN);
    hang(kept.process()).unwrap();
    let mut line = Line::dial(port);
    line.hears(RUNS);
    line.says(&kill(EVER));
    line.hears_end(128 + 9);
    line.hears(RUNS);
    assert_eq!(kept.line(), format!("{PREFIX}{GIVEN_UP}"));
    let again = Report { end: End::Signalled(9), row: 1, delay: Some(Duration::ZERO) };
    assert_eq!(kept.report(), again);
    assert!(wait_until(SOON, || kept.starts() == 2));
    kept.ends_as_asked();
}

#[test]
fn what_was_started_since_is_let_be() {
    let (kept, port) = attended(RUN);
    let process = kept.process();
    let mut line = Line::dial(port);
    line.hears(RUNS);
    line.says(&kill(LONG));
    line.hears(RUNS);
    assert_eq!((kept.process(), kept.starts()), (process, 1));
    kept.ends_as_asked();
}

#[test]
fn it_is_neither_started_nor_ended_otherwise_at_anybodys_word() {
    let (kept, port) = attended(RUN);
    let process = kept.process();
    let mut line = Line::dial(port);
    line.hears(RUNS);
    for order in [START, STOP, LET_GO] {
        line.says(order);
    }
    // What is said in answer shows that the others were heard.
    line.says(&kill(LONG));
    line.hears(RUNS);
    assert_eq!((kept.process(), kept.starts()), (process, 1));
    kept.ends_as_asked();
}

#[test]
fn between_two_starts_it_stands_as_it_has_ended() {
    let port = free_port();
    let mut kept = Kept::start_with(&[&format!("--orders={port}")], "exit 3");
    // From then on it rests for seconds.
    while kept.report().row < 8 {}
    let mut line = Line::dial(port);
    line.hears_end(3);
    line.says(&kill(EVER));
    line.hears_end(3);
    kept.signal(Signal::TERM);
    assert_eq!(kept.end().code(), Some(3));
}

#[test]
fn where_another_listens_already_it_runs_all_the_same() {
    let taken = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut kept = Kept::start_with(&[&format!("--orders={port}")], RUN);
    kept.await_file("runs");
    let said = kept.line();
    assert!(said.starts_with(&format!("{PREFIX}cannot take orders at port {port}: ")), "{said}");
    kept.ends_as_asked();
}
