//! A keeper in function mode: its chaincode runs when it is wanted, and at no other time.

use std::io::Write;
use std::net::{Shutdown, TcpListener};

use selvedge_keeper::line::{LET_GO, RESTS, RUNS, START, STOP};
use selvedge_keeper::report;

use super::line::{Line, free_port};
use super::*;

/// Ends when it may (`go`), which holds for one run.
const RUN: &str = r#"trap 'touch "$1/asked"; exit 7' TERM
    touch "$1/runs"; while [ ! -e "$1/go" ]; do sleep 0.01; done; rm "$1/go"; exit 0"#;

/// Never ends by itself, nor on SIGTERM.
const STUBBORN: &str = r#"trap '' TERM; touch "$1/runs"; while :; do sleep 0.01; done"#;

/// A keeper, and the port at which it is told what is wanted.
struct OnDemand {
    kept: Kept,
    port: u16,
}

impl OnDemand {
    fn start(script: &str) -> Self {
        Self::start_with(&[], script)
    }

    /// With more options of the keeper's.
    fn start_with(more: &[&str], script: &str) -> Self {
        let port = free_port();
        let demand = format!("--on-demand={port}");
        let options = [&[&demand[..]], more].concat();
        Self { kept: Kept::start_with(&options, script), port }
    }

    fn dial(&self) -> Line {
        Line::dial(self.port)
    }

    fn starts(&self) -> usize {
        self.kept.starts()
    }

    /// Lets a run end.
    fn go(&self) {
        fs::write(self.kept.scratch.path().join("go"), "").unwrap();
    }

    fn ends_well(mut self) {
        self.kept.signal(Signal::TERM);
        assert_eq!(self.kept.end().code(), Some(0));
    }
}

#[test]
fn nothing_runs_until_it_is_wanted_and_each_order_starts_one() {
    let mut function = OnDemand::start(RUN);
    let mut line = function.dial();
    line.hears(RESTS);
    assert_eq!((function.starts(), function.kept.processes().len()), (0, 0));
    for start in 1..=3 {
        // What is wanted or runs is not started a second time, nor when it has ended.
        line.says(&format!("{START}\n{START}"));
        line.hears(RUNS);
        function.kept.await_file("runs");
        function.go();
        line.hears_end(0);
        let Report { end, delay, .. } = function.kept.report();
        assert_eq!((end, delay), (End::Exited(0), None));
        assert_eq!((function.starts(), function.kept.processes().len()), (start, 0));
        fs::remove_file(function.kept.scratch.path().join("runs")).unwrap();
    }
    function.ends_well();
}

#[test]
fn what_runs_is_asked_to_end_and_killed_if_it_does_not() {
    // A script on a busy machine takes its time; one that heeds nothing needs none.
    let (long, short) = ("--grace-ms=30000", "--grace-ms=100");
    for (script, grace, end) in [(RUN, long, End::Exited(7)), (STUBBORN, short, End::Signalled(9))]
    {
        let mut function = OnDemand::start_with(&[grace], script);
        let mut line = function.dial();
        line.hears(RESTS);
        line.says(START);
        line.hears(RUNS);
        function.kept.await_file("runs");
        line.says(STOP);
        line.says(STOP);
        line.hears_end(end.code());
        // A shell may have a word of its own for it.
        let report = loop {
            if let Some(report) = Report::read(&function.kept.line()) {
                break report;
            }
        };
        assert_eq!(report.end, end);
        function.ends_well();
    }
}

#[test]
fn a_launcher_that_dials_again_is_told_how_it_stands_and_the_one_before_is_heard_no_more() {
    let function = OnDemand::start(RUN);
    let mut first = function.dial();
    first.hears(RESTS);
    first.says(START);
    first.hears(RUNS);
    function.kept.await_file("runs");
    let mut second = function.dial();
    second.hears(RUNS);
    assert_eq!(first.next(), "");
    second.0.get_ref().shutdown(Shutdown::Both).unwrap();
    // What runs does not hang on who ordered it.
    let mut third = function.dial();
    third.hears(RUNS);
    function.go();
    third.hears_end(0);
    // Who comes later is told as well.
    function.dial().hears_end(0);
    function.ends_well();
}

#[test]
fn that_one_was_let_go_is_among_its_lines() {
    let mut function = OnDemand::start(RUN);
    let mut line = function.dial();
    line.hears(RESTS);
    // Nobody is there who could be.
    line.says(LET_GO);
    line.says(START);
    line.hears(RUNS);
    line.says(LET_GO);
    assert_eq!(function.kept.line(), format!("{PREFIX}{}", report::LET_GO));
    function.kept.await_file("runs");
    function.go();
    line.hears_end(0);
    assert_eq!(function.kept.report().end, End::Exited(0));
    function.ends_well();
}

#[test]
fn one_that_is_to_be_there_already_is_started_once_without_a_word() {
    let function = OnDemand::start_with(&["--now"], RUN);
    function.kept.await_file("runs");
    let mut line = function.dial();
    line.hears(RUNS);
    function.go();
    line.hears_end(0);
    assert_eq!((function.starts(), function.kept.processes().len()), (1, 0));
    function.ends_well();
}

#[test]
fn one_that_is_wanted_waits_for_its_proxy() {
    // An address that no other test listens at meanwhile.
    let proxy = TcpListener::bind("127.0.99.98:0").unwrap();
    let way = proxy.local_addr().unwrap();
    drop(proxy);
    let function = OnDemand::start_with(&[&format!("--proxy={way}")], RUN);
    let mut line = function.dial();
    line.hears(RESTS);
    line.says(START);
    // As whoever dials now is told, it does not run yet.
    let mut line = function.dial();
    line.hears(RESTS);
    let _proxy = TcpListener::bind(way).unwrap();
    line.says(START);
    line.hears(RUNS);
    function.kept.await_file("runs");
    function.go();
    line.hears_end(0);
    assert_eq!(function.starts(), 1);
    function.ends_well();
}

#[test]
fn who_says_something_else_is_not_listened_to() {
    let function = OnDemand::start(RUN);
    for nonsense in ["GET / HTTP/1.1\r\n", "\n", &"start".repeat(1000)] {
        let mut line = function.dial();
        line.hears(RESTS);
        // It may be gone before all of it was said.
        let _ = line.0.get_mut().write_all(nonsense.as_bytes());
        let _ = line.0.get_mut().write_all(b"start\n");
        // Who is not listened to notices when somebody else is.
        function.dial().hears(RESTS);
    }
    assert_eq!(function.starts(), 0);
    function.ends_well();
}

#[test]
fn one_that_runs_ends_with_its_container() {
    let mut function = OnDemand::start_with(&["--grace-ms=30000"], RUN);
    let mut line = function.dial();
    line.says(START);
    function.kept.await_file("runs");
    function.kept.signal(Signal::TERM);
    assert_eq!(function.kept.end().code(), Some(7));
}
