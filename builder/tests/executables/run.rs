//! `run`: a chaincode's life as the peer sees it, and why it may have none.

use std::{fs, sync::mpsc};

use selvedge_proto::launcher::{
    Ended, ImageReference, Listening, Ready, RunRequest, RunStart, SourceWanted, run_event::Event,
    run_request::Content,
};
use tonic::{Status, Streaming};

use crate::{
    executable::{Executable, Outcome},
    launcher::{Launcher, image},
    sandbox::Sandbox,
};

/// The next thing that `run` says.
pub(crate) async fn next(requests: &mut Streaming<RunRequest>) -> Option<Content> {
    requests.message().await.ok()??.content
}

/// Runs against a launcher that says these events and no more.
fn run_with(sandbox: &Sandbox, events: Vec<Event>) -> Outcome {
    let _launcher = Launcher::running(&sandbox.socket(), move |mut requests, sender| {
        let events = events.clone();
        async move {
            next(&mut requests).await.unwrap();
            for event in events {
                sender.say(event).await;
            }
        }
    });
    let outcome = Executable::start(&mut sandbox.run()).end();
    fs::remove_file(sandbox.socket()).unwrap();
    outcome
}

fn log(line: &str) -> Event {
    Event::Log(line.into())
}

fn ended(reason: &str) -> Event {
    Event::Ended(Ended { reason: reason.into() })
}

/// What reaches the launcher.
fn start_of(sandbox: &Sandbox) -> RunStart {
    let (seen, received) = mpsc::channel();
    let _launcher = Launcher::running(&sandbox.socket(), move |mut requests, events| {
        let seen = seen.clone();
        async move {
            seen.send(next(&mut requests).await).unwrap();
            events.say(Event::Ready(Ready {})).await;
            events.say(ended("")).await;
        }
    });
    assert_eq!(Executable::start(&mut sandbox.run()).end().code, 0);
    match received.recv().unwrap() {
        Some(Content::Start(start)) => start,
        other => panic!("{other:?} came first"),
    }
}

#[test]
fn the_launcher_gets_what_the_peer_gave() {
    let start = start_of(&Sandbox::built());
    assert_eq!(start.package_id, "basic_1.0:ab12");
    assert_eq!(start.peer_address, "peer.example.org:7052");
    assert_eq!(start.msp_id, "Org1MSP");
    let tls = start.tls.unwrap();
    assert_eq!((&*tls.client_cert, &*tls.client_key, &*tls.root_cert), ("CERT", "KEY", "ROOT"));
    assert_eq!(start.image.unwrap(), image());
    let source = start.source.unwrap();
    assert_eq!((&*source.r#type, &*source.path), ("golang", "example.org/basic"));
    assert_eq!(source.label, "basic_1.0");
    assert_eq!(start.listening, None);
}

#[test]
fn the_launcher_is_told_again_what_it_said_of_the_chaincode() {
    for (tls, port) in [(true, None), (false, None), (true, Some(9999))] {
        let sandbox = Sandbox::built();
        fs::remove_dir_all(sandbox.path("out")).unwrap();
        fs::create_dir(sandbox.path("out")).unwrap();
        let listening = Some(Listening { tls, port });
        let launcher =
            Launcher::building(&sandbox.socket(), move |mut requests, events| async move {
                while let Ok(Some(_)) = requests.message().await {}
                events.image(image(), listening).await;
            });
        assert_eq!(Executable::start(&mut sandbox.build()).end().code, 0);
        drop(launcher);
        fs::remove_file(sandbox.socket()).unwrap();
        let start = start_of(&sandbox);
        assert_eq!((start.listening, start.image), (listening, Some(image())));
    }
}

/// A peer that calls Selvedge by the name of the builder that it had before has it run what that one
/// built, and installs nothing again.
#[test]
fn what_fabric_builder_k8s_built_is_run() {
    let sandbox = Sandbox::built();
    for file in ["out/launch.json", "out/source.tar"] {
        fs::remove_file(sandbox.path(file)).unwrap();
    }
    let start = start_of(&sandbox);
    assert_eq!(start.image.unwrap(), ImageReference { command: None, ..image() });
    let source = start.source.unwrap();
    assert_eq!((&*source.r#type, &*source.path, &*source.label), ("k8s", "", ""));
}

#[test]
fn a_peer_without_tls_gives_no_credentials() {
    let sandbox = Sandbox::built();
    sandbox.write(
        "runmeta/chaincode.json",
        r#"{"chaincode_id":"a:b","peer_address":"p:1","client_cert":"","client_key":"","root_cert":"","mspid":"M"}"#,
    );
    assert_eq!(start_of(&sandbox).tls, None);
}

#[test]
fn lines_are_relayed_until_the_link_ends() {
    let events = vec![
        log("starting"),
        Event::Ready(Ready {}),
        log("serving"),
        ended("the peer closed the stream"),
    ];
    let outcome = run_with(&Sandbox::built(), events);
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.lines, ["starting", "serving", "the peer closed the stream"]);
}

#[test]
fn a_long_line_is_split_and_a_deceptive_one_defused() {
    let long = "ü".repeat(100_000);
    let events = vec![
        Event::Ready(Ready {}),
        log(&long),
        log("one\n2026-01-01 ERRO forged \u{1b}[31mred"),
        ended("done"),
    ];
    let outcome = run_with(&Sandbox::built(), events);
    let parts = outcome.lines.len() - 2;
    assert!(outcome.lines.iter().all(|line| line.len() < 64 << 10));
    assert!(outcome.lines[..parts].concat() == long, "the long line is not whole");
    assert_eq!(outcome.lines[parts], "one\\n2026-01-01 ERRO forged \\u{1b}[31mred");
}

#[test]
fn a_chaincode_that_ends_before_it_is_ready_fails_the_launch() {
    let events = vec![log("panic: no"), ended("the chaincode exited with 2: panic: no")];
    let outcome = run_with(&Sandbox::built(), events);
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.lines, ["panic: no", "the chaincode exited with 2: panic: no"]);
}

#[test]
fn an_end_without_a_reason_still_has_a_line() {
    let outcome = run_with(&Sandbox::built(), vec![ended("")]);
    assert_eq!((outcome.code, outcome.reason()), (1, "the chaincode has ended"));
}

#[test]
fn a_launch_that_is_refused_ends_with_the_reason() {
    let sandbox = Sandbox::built();
    let _launcher = Launcher::running(&sandbox.socket(), |_requests, events| async move {
        events.fail(Status::failed_precondition("image pull: unauthorized")).await;
    });
    let outcome = Executable::start(&mut sandbox.run()).end();
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.lines, ["image pull: unauthorized"]);
}

#[test]
fn a_call_without_an_end_is_an_error() {
    let outcome = run_with(&Sandbox::built(), vec![Event::Ready(Ready {})]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.reason().contains("ended the call without a reason"), "{outcome:?}");
}

#[test]
fn the_source_is_sent_again_when_it_is_wanted() {
    let sandbox = Sandbox::built();
    let (seen, received) = mpsc::channel();
    let _launcher = Launcher::running(&sandbox.socket(), move |mut requests, events| {
        let seen = seen.clone();
        async move {
            next(&mut requests).await.unwrap();
            events.say(Event::SourceWanted(SourceWanted {})).await;
            let mut source = Vec::new();
            while let Some(Content::Chunk(chunk)) = next(&mut requests).await {
                source.extend(chunk);
                events.say(log("received")).await;
            }
            seen.send(source).unwrap();
            events.say(Event::Ready(Ready {})).await;
            events.say(ended("done")).await;
        }
    });
    let outcome = Executable::start(&mut sandbox.run()).end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(received.recv().unwrap() == sandbox.read("out/source.tar"), "another source came");
}

#[test]
fn a_source_that_is_wanted_and_gone_is_named() {
    let sandbox = Sandbox::built();
    fs::remove_file(sandbox.path("out/source.tar")).unwrap();
    let outcome = run_with(&sandbox, vec![Event::SourceWanted(SourceWanted {}), log("waiting")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.reason().starts_with("the image is gone"), "{outcome:?}");
    assert!(outcome.reason().contains("out/source.tar: No such file"), "{outcome:?}");
}

#[test]
fn a_launcher_that_dies_is_one_line() {
    for ready in [false, true] {
        let sandbox = Sandbox::built();
        let launcher = Launcher::running(&sandbox.socket(), move |_requests, events| async move {
            if ready {
                events.say(Event::Ready(Ready {})).await;
            }
            events.say(log("up")).await;
            events.closed().await;
        });
        let run = Executable::start(&mut sandbox.run());
        assert_eq!(run.line(), "up");
        drop(launcher);
        let outcome = run.end();
        assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
        assert!(outcome.reason().contains("launcher.sock went away: "), "{outcome:?}");
    }
}

/// Its settings say how long, and they are nothing that a peer propagates.
#[test]
fn the_launcher_alone_says_how_long_a_start_may_take() {
    let sandbox = Sandbox::built();
    let _launcher = Launcher::running(&sandbox.socket(), |_requests, events| async move {
        events
            .fail(Status::failed_precondition("not ready in time (chaincode.timeouts.start)"))
            .await;
    });
    let outcome = Executable::start(sandbox.run().env("SELVEDGE_START_TIMEOUT", "0")).end();
    assert_eq!(
        (outcome.code, outcome.reason()),
        (1, "not ready in time (chaincode.timeouts.start)")
    );
}

#[test]
fn input_that_is_wrong_is_named_and_no_key_shown() {
    let key = "-----BEGIN EC PRIVATE KEY----- secret";
    let cases: [(&str, String, &str); 8] = [
        ("runmeta/chaincode.json", format!("\"{key}\""), "chaincode.json is malformed at line 1"),
        ("runmeta/chaincode.json", format!("{{\"mspid\":[\"{key}\"]}}"), "is malformed at line 1"),
        ("runmeta/chaincode.json", "{}".into(), "chaincode.json has no chaincode_id"),
        (
            "runmeta/chaincode.json",
            format!(
                r#"{{"chaincode_id":"a:b","peer_address":"p:1","mspid":"M","client_key":"{key}"}}"#
            ),
            "chaincode.json has no client_cert",
        ),
        ("out/image.json", "{\"name\":\"a\"}".into(), "image.json is malformed: missing field"),
        ("out/image.json", r#"{"name":"a","digest":"sha256:12"}"#.into(), "64 hex digits"),
        ("out/launch.json", "{\"version\":1".into(), "launch.json is malformed: EOF"),
        ("out/launch.json", r#"{"version":9,"type":"golang"}"#.into(), "has version 9"),
    ];
    for (path, content, words) in cases {
        let sandbox = Sandbox::built();
        sandbox.write(path, &content);
        let outcome = Executable::start(&mut sandbox.run()).end();
        assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
        assert!(outcome.reason().contains(words), "{outcome:?}");
        assert!(!outcome.reason().contains("secret"), "{outcome:?}");
    }
    for path in ["runmeta/chaincode.json", "out/image.json", "out/launch.json"] {
        let sandbox = Sandbox::built();
        fs::remove_file(sandbox.path(path)).unwrap();
        let outcome = Executable::start(&mut sandbox.run()).end();
        assert_eq!(outcome.code, 1);
        assert!(outcome.reason().contains(&format!("{path}: No such file")), "{outcome:?}");
    }
}
