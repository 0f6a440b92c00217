//! `run` and the peer's wish to stop: within 4 s, come what may.

use std::{
    path::Path,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use selvedge_proto::launcher::{Ended, Ready, run_event::Event, run_request::Content};

use crate::{
    executable::{Executable, Outcome},
    launcher::Launcher,
    run::next,
    sandbox::Sandbox,
};

/// A launcher that takes a chaincode as ready, says so, and obeys a stop or not.
fn launcher(socket: &Path, ready: bool, obeys: bool) -> Launcher {
    Launcher::running(socket, move |mut requests, events| async move {
        next(&mut requests).await.unwrap();
        if ready {
            events.say(Event::Ready(Ready {})).await;
        }
        events.say(Event::Log("up".into())).await;
        if obeys && let Some(Content::Stop(_)) = next(&mut requests).await {
            let reason = "stopped by the peer".into();
            events.say(Event::Ended(Ended { reason })).await;
        } else {
            events.closed().await;
        }
    })
}

fn stopped(run: Executable, signal: Signal) -> (Outcome, Duration) {
    let began = Instant::now();
    run.signal(signal);
    let outcome = run.end();
    (outcome, began.elapsed())
}

#[test]
fn a_stop_is_passed_on_and_waited_for() {
    for (signal, ready) in [(Signal::TERM, true), (Signal::INT, true), (Signal::TERM, false)] {
        let sandbox = Sandbox::built();
        let _launcher = launcher(&sandbox.socket(), ready, true);
        let run = Executable::start(&mut sandbox.run());
        assert_eq!(run.line(), "up");
        assert_eq!(run.children(), "");
        let (outcome, took) = stopped(run, signal);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.lines, ["stopped by the peer"]);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[test]
fn a_launcher_that_does_not_obey_is_left() {
    let sandbox = Sandbox::built();
    let _launcher = launcher(&sandbox.socket(), true, false);
    let run = Executable::start(&mut sandbox.run());
    assert_eq!(run.line(), "up");
    let (outcome, took) = stopped(run, Signal::TERM);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.reason().contains("did not say within 3.5 s"), "{outcome:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_stop_while_the_launcher_is_looked_for_ends_at_once() {
    let sandbox = Sandbox::built();
    let _silent = std::os::unix::net::UnixListener::bind(sandbox.socket()).unwrap();
    let run = Executable::start_unread(&mut sandbox.run());
    run.await_signal_handlers();
    let (outcome, took) = stopped(run, Signal::TERM);
    assert_eq!(outcome.code, 0);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// A launcher whose chaincode says so many lines of a length, unless it is
/// stopped; and what becomes empty when nobody reads them.
fn talkative(socket: &Path, lines: usize, length: usize) -> (Launcher, Receiver<()>) {
    let (progress, receiver) = std::sync::mpsc::channel();
    let launcher = Launcher::running(socket, move |mut requests, events| {
        let progress = progress.clone();
        async move {
            next(&mut requests).await.unwrap();
            events.say(Event::Ready(Ready {})).await;
            let chatter = async {
                for _ in 0..lines {
                    events.say(Event::Log("x".repeat(length))).await;
                    let _ = progress.send(());
                }
            };
            tokio::select! {
                () = chatter => {}
                stop = next(&mut requests) => assert!(matches!(stop, Some(Content::Stop(_)))),
            }
            events.say(Event::Ended(Ended { reason: "stopped".into() })).await;
        }
    });
    (launcher, receiver)
}

/// Waits until the launcher gets no more lines through.
fn await_stall(progress: &Receiver<()>) {
    progress.recv().unwrap();
    while progress.recv_timeout(Duration::from_millis(500)).is_ok() {}
}

#[test]
fn a_peer_that_does_not_read_can_still_stop_it() {
    let sandbox = Sandbox::built();
    let (_launcher, progress) = talkative(&sandbox.socket(), 200, 30_000);
    let run = Executable::start_unread(&mut sandbox.run());
    await_stall(&progress);
    let (outcome, took) = stopped(run, Signal::TERM);
    assert_eq!(outcome.code, 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// h2 takes many small frames that wait unread for an attack.
#[test]
fn a_peer_that_reads_late_gets_every_line() {
    for length in [0, 1, 40, 200] {
        let sandbox = Sandbox::built();
        let (_launcher, progress) = talkative(&sandbox.socket(), 50_000, length);
        let mut run = Executable::start_unread(&mut sandbox.run());
        await_stall(&progress);
        run.read();
        let outcome = run.end();
        assert_eq!((outcome.code, outcome.lines.len()), (0, 50_001), "{}", outcome.reason());
    }
}

#[test]
fn a_peer_that_is_gone_does_not_upset_it() {
    let sandbox = Sandbox::built();
    let (_launcher, progress) = talkative(&sandbox.socket(), 200, 30_000);
    let mut run = Executable::start_unread(&mut sandbox.run());
    progress.recv().unwrap();
    run.close_stderr();
    assert_eq!(run.end().code, 0);
}
