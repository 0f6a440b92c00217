//! `build`: what reaches the launcher, what is left in OUT, and why it fails.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
    sync::mpsc,
};

use selvedge_proto::launcher::{
    BuildEvent, BuildRequest, ImageReference, build_event::Event, build_request::Content,
};
use tokio::sync::oneshot;
use tonic::{Status, Streaming};

use crate::{
    executable::{Executable, Outcome, names},
    launcher::{Events, Launcher, image},
    sandbox::Sandbox,
};

/// Reads a whole build request: the start's fields, and the chunks.
async fn receive(mut requests: Streaming<BuildRequest>) -> (Vec<String>, Vec<Vec<u8>>) {
    let (mut start, mut chunks) = (Vec::new(), Vec::new());
    while let Ok(Some(request)) = requests.message().await {
        match request.content.unwrap() {
            Content::Start(source) => start = vec![source.r#type, source.path, source.label],
            Content::Chunk(chunk) => chunks.push(chunk),
        }
    }
    (start, chunks)
}

/// Reads a whole build request and answers with an image.
async fn answer(
    requests: Streaming<BuildRequest>,
    events: Events<BuildEvent>,
    image: ImageReference,
) {
    receive(requests).await;
    events.say(Event::Image(image)).await;
}

/// Builds with a launcher that takes everything.
fn build(sandbox: &Sandbox) -> Outcome {
    let _launcher =
        Launcher::building(&sandbox.socket(), |requests, events| answer(requests, events, image()));
    let outcome = Executable::start(&mut sandbox.build()).end();
    fs::remove_file(sandbox.socket()).unwrap();
    outcome
}

/// Builds with a launcher that takes everything, and says nothing; what reached it.
fn sent(sandbox: &Sandbox) -> (Vec<String>, Vec<Vec<u8>>) {
    let (seen, received) = mpsc::channel();
    let _launcher = Launcher::building(&sandbox.socket(), move |requests, events| {
        let seen = seen.clone();
        async move {
            seen.send(receive(requests).await).unwrap();
            events.say(Event::Image(image())).await;
        }
    });
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_eq!((outcome.code, outcome.lines.len()), (0, 0), "{outcome:?}");
    received.recv().unwrap()
}

/// That it failed, for this reason, and left nothing.
fn assert_failed(sandbox: &Sandbox, outcome: &Outcome, reason: &str) {
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.reason().contains(reason), "{outcome:?}");
    assert!(names(&sandbox.path("out")).is_empty());
}

/// Path, mode, time and owner of what is in the tar.
fn listing(tar: &[u8]) -> Vec<(String, u32, u64, u64)> {
    tar::Archive::new(tar)
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let path = entry.path().unwrap().display().to_string();
            let owner = header.uid().unwrap() + header.gid().unwrap();
            (path, header.mode().unwrap(), header.mtime().unwrap(), owner)
        })
        .collect()
}

/// What the launcher answers with is what the package names.
#[test]
fn an_image_that_is_named_is_sent_as_any_source() {
    let sandbox = Sandbox::new();
    fs::remove_dir_all(sandbox.path("src/src")).unwrap();
    let named = format!("{{\"name\":\"selvedge/basic\",\"digest\":\"{}\"}}\n", image().digest);
    sandbox.write("src/image.json", &named);
    sandbox.write("src/META-INF/statedb/couchdb/indexes/a.json", "{}");
    sandbox.write("meta/metadata.json", r#"{"type":"K8s","label":"go-contract"}"#);
    let (start, chunks) = sent(&sandbox);
    assert_eq!(start, ["k8s", "", "go-contract"]);
    let sent: Vec<_> = listing(&chunks.concat()).into_iter().map(|(path, ..)| path).collect();
    assert!(sent.contains(&"image.json".to_owned()), "{sent:?}");
    let out = sandbox.path("out");
    assert_eq!(names(&out), ["META-INF", "image.json", "launch.json", "source.tar"]);
    assert_eq!(sandbox.read("out/image.json"), named.as_bytes());
}

#[test]
fn the_source_becomes_an_image() {
    let sandbox = Sandbox::new();
    sandbox.write("src/META-INF/statedb/couchdb/indexes/a.json", "{}");
    let (start, chunks) = sent(&sandbox);
    assert_eq!(start, ["golang", "example.org/basic", "basic_1.0"]);
    assert_eq!(chunks.concat(), sandbox.read("out/source.tar"));
    let out = sandbox.path("out");
    assert_eq!(names(&out), ["META-INF", "image.json", "launch.json", "source.tar"]);
    assert_eq!(sandbox.read("out/META-INF/statedb/couchdb/indexes/a.json"), b"{}");
    let expected = format!("{{\"name\":\"selvedge/basic\",\"digest\":\"{}\"}}\n", image().digest);
    assert_eq!(sandbox.read("out/image.json"), expected.as_bytes());
    assert_eq!(
        sandbox.read("out/launch.json"),
        b"{\"version\":1,\"type\":\"golang\",\"path\":\"example.org/basic\",\"label\":\"basic_1.0\",\
          \"command\":{\"entrypoint\":[\"/chaincode\"],\"cmd\":[\"--quiet\"]}}\n"
    );
}

#[test]
fn the_tar_says_nothing_of_the_machine() {
    let long = format!("src/{}/{}.go", "d".repeat(150), "é".repeat(60));
    let make = |mode: u32| {
        let sandbox = Sandbox::new();
        sandbox.write(&format!("src/{long}"), "package long\n");
        sandbox.write("src/src/run.sh", "#!/bin/sh\n");
        let set = |path: &str, mode| {
            fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        set("src/src/run.sh", mode);
        set("src/src/main.go", mode & 0o666);
        assert_eq!(build(&sandbox).code, 0);
        sandbox.read("out/source.tar")
    };
    let tar = make(0o700);
    assert!(tar == make(0o755), "the same source gave two tars");
    let expected = [
        ("src", 0o755),
        (&long[..154], 0o755),
        (&long, 0o644),
        ("src/lib", 0o755),
        ("src/lib/lib.go", 0o644),
        ("src/main.go", 0o644),
        ("src/run.sh", 0o755),
    ];
    let expected = expected.map(|(path, mode)| (path.to_string(), mode, 0, 0));
    assert_eq!(listing(&tar), expected);
}

#[test]
fn lines_come_while_the_build_goes_on() {
    let sandbox = Sandbox::new();
    let (go_on, gate) = oneshot::channel::<()>();
    let gate = std::sync::Mutex::new(Some(gate));
    let _launcher = Launcher::building(&sandbox.socket(), move |requests, events| {
        let gate = gate.lock().unwrap().take().unwrap();
        async move {
            events.say(Event::Log("go: downloading".into())).await;
            gate.await.unwrap();
            answer(requests, events, image()).await;
        }
    });
    let build = Executable::start(&mut sandbox.build());
    assert_eq!(build.line(), "go: downloading");
    go_on.send(()).unwrap();
    assert_eq!(build.end().code, 0);
}

#[test]
fn a_large_source_is_not_held_in_memory() {
    let sandbox = Sandbox::new();
    let large = fs::File::create(sandbox.path("src/src/large.bin")).unwrap();
    large.set_len(96 << 20).unwrap();
    let (go_on, gate) = oneshot::channel::<()>();
    let gate = std::sync::Mutex::new(Some(gate));
    let (seen, received) = mpsc::channel();
    let _launcher = Launcher::building(&sandbox.socket(), move |requests, events| {
        let (gate, seen) = (gate.lock().unwrap().take().unwrap(), seen.clone());
        async move {
            let (_, chunks) = receive(requests).await;
            let largest = chunks.iter().map(Vec::len).max().unwrap();
            seen.send((chunks.concat().len(), largest)).unwrap();
            gate.await.unwrap();
            events.say(Event::Image(image())).await;
        }
    });
    let build = Executable::start(&mut sandbox.build());
    let (size, largest) = received.recv().unwrap();
    assert_eq!(size as u64, fs::metadata(sandbox.path("out/source.tar")).unwrap().len());
    assert!(largest <= 1 << 20, "a chunk of {largest} bytes");
    let peak = build.memory("VmHWM");
    assert!(peak < 24 << 10, "{peak} KiB at most");
    go_on.send(()).unwrap();
    assert_eq!(build.end().code, 0);
}

#[test]
fn links_and_special_files_are_named() {
    let sandbox = Sandbox::new();
    symlink("/etc/passwd", sandbox.path("src/src/link.go")).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "src/src/link.go is a symbolic link: ");

    let sandbox = Sandbox::new();
    let _socket = UnixListener::bind(sandbox.path("src/src/socket")).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "src/src/socket is a special file: ");

    let sandbox = Sandbox::new();
    symlink(".", sandbox.path("src/META-INF")).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "src/META-INF is a symbolic link: ");
}

#[test]
fn a_source_of_gigabytes_is_refused() {
    let sandbox = Sandbox::new();
    let bomb = fs::File::create(sandbox.path("src/src/zeros")).unwrap();
    bomb.set_len(2 << 30).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "/src is over 1024 MiB");
}

#[test]
fn missing_input_is_named() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.path("meta/metadata.json")).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "meta/metadata.json: No such file");

    let sandbox = Sandbox::new();
    fs::remove_dir_all(sandbox.path("src")).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "/src: ");

    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.path("out")).unwrap();
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert!(outcome.reason().contains("/out: No such file"), "{outcome:?}");
}

#[test]
fn an_output_with_something_in_it_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("out/image.json", "precious");
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_eq!(outcome.code, 1);
    assert!(outcome.reason().contains("/out is not an empty directory"), "{outcome:?}");
    assert_eq!(sandbox.read("out/image.json"), b"precious");
}

#[test]
fn a_failed_build_ends_with_its_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("src/META-INF/statedb/couchdb/indexes/a.json", "{}");
    let _launcher = Launcher::building(&sandbox.socket(), |requests, events| async move {
        events.say(Event::Log("# example.org/basic".into())).await;
        let reason = "main.go:7:2: undefined: x";
        receive(requests).await;
        events.fail(Status::failed_precondition(reason)).await;
    });
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "main.go:7:2: undefined: x");
    assert_eq!(outcome.lines, ["# example.org/basic", "main.go:7:2: undefined: x"]);
}

#[test]
fn a_launcher_that_refuses_early_is_heard() {
    let sandbox = Sandbox::new();
    fs::File::create(sandbox.path("src/src/large")).unwrap().set_len(64 << 20).unwrap();
    let _launcher = Launcher::building(&sandbox.socket(), |_requests, events| async move {
        events.fail(Status::resource_exhausted("the disk is full")).await;
    });
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "the disk is full");
}

#[test]
fn a_launcher_without_manners_is_named() {
    let sandbox = Sandbox::new();
    let launcher = Launcher::building(&sandbox.socket(), |requests, _events| async move {
        receive(requests).await;
    });
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "launcher.sock ended the build without an image");
    drop(launcher);

    let sandbox = Sandbox::new();
    let tag = ImageReference { digest: "latest".into(), ..image() };
    let _launcher = Launcher::building(&sandbox.socket(), move |requests, events| {
        answer(requests, events, tag.clone())
    });
    let outcome = Executable::start(&mut sandbox.build()).end();
    assert_failed(&sandbox, &outcome, "\"latest\" is not sha256 and 64 hex digits");
}

#[test]
fn a_launcher_that_dies_during_a_build_is_named() {
    let sandbox = Sandbox::new();
    let launcher = Launcher::building(&sandbox.socket(), |_requests, events| async move {
        events.say(Event::Log("compiling".into())).await;
        std::future::pending::<()>().await;
    });
    let build = Executable::start(&mut sandbox.build());
    assert_eq!(build.line(), "compiling");
    drop(launcher);
    let outcome = build.end();
    assert_failed(&sandbox, &outcome, "launcher.sock went away: ");
    assert_eq!(outcome.lines.len(), 1);
}

/// Its settings say how long, and they are nothing that a peer propagates.
#[test]
fn the_launcher_alone_says_how_long_a_build_may_take() {
    let sandbox = Sandbox::new();
    let _launcher = Launcher::building(&sandbox.socket(), |requests, events| async move {
        receive(requests).await;
        events.fail(Status::failed_precondition("it took too long (builds.timeout)")).await;
    });
    let outcome = Executable::start(sandbox.build().env("SELVEDGE_BUILD_TIMEOUT", "0")).end();
    assert_failed(&sandbox, &outcome, "it took too long (builds.timeout)");
}
