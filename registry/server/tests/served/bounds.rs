//! The bound: what goes for what is new, what stays, and who is told that there is no room.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use bytes::Bytes;
use reqwest::{Body, Method, StatusCode};
use selvedge_buildpack::digest::Sha256;
use selvedge_registry_server::{Bounds, Rights};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::served::{NAME, Served, code, told};

/// Room for three images of these tests, and not for four.
const THREE: u64 = 1_000_000;

/// Where a test finds a small volume.
const VOLUME: &str = "SELVEDGE_TEST_VOLUME";

/// The layer of an image: 300 kB that no other has.
fn layer(seed: u8) -> Vec<u8> {
    vec![seed; 300_000]
}

fn bounds(unfinished: Duration) -> Bounds {
    Bounds { limit: THREE, unfinished }
}

fn hour() -> Bounds {
    bounds(Duration::from_hours(1))
}

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_used_for_longest_goes_for_what_is_new() {
    let served = Served::new(hour()).await;
    let mut images = Vec::new();
    for seed in 1..=3 {
        images.push(served.push_image(&layer(seed), &format!("image-{seed}")).await);
    }
    assert!(served.has_image(images[0], &layer(1)).await);
    images.push(served.push_image(&layer(4), "image-4").await);
    for (seed, stays) in [(1, true), (2, false), (3, true), (4, true)] {
        let has = served.has_image(images[usize::from(seed) - 1], &layer(seed)).await;
        assert_eq!(has, stays, "image-{seed}");
    }
    // One that is gone can be pushed again.
    let again = served.push_image(&layer(2), "image-2").await;
    assert_eq!(again, images[1]);
    assert!(served.has_image(again, &layer(2)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_stays_and_who_pushes_is_told() {
    let served = Served::new(hour()).await;
    let (mut images, mut needs) = (Vec::new(), Vec::new());
    for seed in 1..=3 {
        let image = served.push_image(&layer(seed), &format!("image-{seed}")).await;
        needs.push(served.store.need(image));
        images.push(image);
    }
    let refused = served.push(&layer(4)).await;
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    let (code, words) = told(refused).await;
    assert_eq!(code, "SIZE_INVALID");
    assert!(
        words.contains("there is no room for 293") && words.contains("registry.serve.limit"),
        "{words}"
    );
    for (image, seed) in images.iter().zip(1..) {
        assert!(served.has_image(*image, &layer(seed)).await, "image-{seed}");
    }
    needs.remove(1);
    served.push_image(&layer(4), "image-4").await;
    assert!(!served.has_image(images[1], &layer(2)).await);
}

/// A client that never sends any of it is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_of_20_gib_is_refused_before_any_of_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::open(directory.path(), hour(), Rights::Push).await;
    let upload = served.begin().await;
    let whole = format!("/v2/{NAME}/blobs/uploads/?digest={}", Sha256::of(b""));
    for (method, path) in [
        ("POST", whole),
        ("PATCH", upload.clone()),
        ("PUT", format!("{upload}?digest={}", Sha256::of(b""))),
    ] {
        let login = served.ask(Method::GET, "").build().unwrap();
        let login = login.headers()["authorization"].to_str().unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {login}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            served.host,
            20_u64 << 30
        );
        let host = served.host.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(host).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.await.unwrap();
        if method == "PUT" {
            // It went with the one before.
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
            continue;
        }
        assert!(answer.starts_with("HTTP/1.1 413 "), "{method}: {answer}");
        assert!(answer.contains("SIZE_INVALID") && answer.contains("20.0 GiB"), "{answer}");
    }
    assert_eq!(files(&directory.path().join("uploads")), 0);
}

/// Nor is one taken that does not say how long it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_without_an_end_ends_at_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::open(directory.path(), hour(), Rights::Push).await;
    let image = served.push_image(&layer(1), "one").await;
    let _need = served.store.need(image);
    let (sink, chunks) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let endless = tokio::spawn(async move {
        while sink.send(Ok(Bytes::from(vec![7; 64 << 10]))).await.is_ok() {}
    });
    let upload = served.begin().await;
    let body = Body::wrap_stream(ReceiverStream::new(chunks));
    // Whether the client sees the answer while it sends is its own matter.
    if let Ok(answer) = served.ask_at(Method::PATCH, &upload).body(body).send().await {
        assert_eq!(
            code(answer).await,
            (StatusCode::INSUFFICIENT_STORAGE, "SIZE_INVALID".to_owned())
        );
    }
    endless.await.unwrap();
    let status = served.ask_at(Method::GET, &upload).send().await.unwrap();
    assert_eq!(status.status(), StatusCode::NOT_FOUND);
    assert_eq!(files(&directory.path().join("uploads")), 0);
    assert!(served.has_image(image, &layer(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_goes_on_with_gives_its_room_back() {
    let half = |served: &Served, upload: &str| {
        served.ask_at(Method::PATCH, upload).body(vec![1; 700_000]).send()
    };
    let patient = Served::new(hour()).await;
    let upload = patient.begin().await;
    assert_eq!(half(&patient, &upload).await.unwrap().status(), StatusCode::ACCEPTED);
    // It may still go on, so its room is its own.
    let refused = patient.push(&layer(1).repeat(2)).await;
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    patient.store.tend();
    let status = patient.ask_at(Method::GET, &upload).send().await.unwrap();
    assert_eq!(status.headers()["range"], "0-699999");

    let hasty = Served::new(bounds(Duration::ZERO)).await;
    let upload = hasty.begin().await;
    assert_eq!(half(&hasty, &upload).await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(hasty.push(&layer(1).repeat(2)).await.status(), StatusCode::CREATED);
    let status = hasty.ask_at(Method::GET, &upload).send().await.unwrap();
    assert_eq!(code(status).await, (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    // The blob that no manifest has named is the next to go.
    hasty.store.tend();
    let blob = hasty.get(&format!("blobs/{}", Sha256::of(&layer(1).repeat(2)))).await;
    assert_eq!(code(blob).await, (StatusCode::NOT_FOUND, "BLOB_UNKNOWN".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_uploads_are_begun_than_may_be() {
    let served = Served::new(hour()).await;
    for _ in 0..256 {
        served.begin().await;
    }
    let answer = served.ask(Method::POST, "blobs/uploads/").send().await.unwrap();
    assert_eq!(code(answer).await, (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS".to_owned()));
}

/// Runs this test again with a volume of 2 MiB, in a mount namespace of its own, unless it is there.
fn with_a_small_volume(test: &str) -> Option<PathBuf> {
    if let Some(volume) = env::var_os(VOLUME) {
        return Some(volume.into());
    }
    let place = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m none \"$0\"; exec \"$1\" --exact \"$2\" --nocapture";
    let mut again = Command::new("unshare");
    again.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script]);
    again.arg(place.path()).arg(env::current_exe().unwrap()).arg(test);
    let done = again.env(VOLUME, place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_volume_is_said_and_harms_nothing() {
    let Some(volume) = with_a_small_volume("bounds::a_full_volume_is_said_and_harms_nothing")
    else {
        return;
    };
    let bounds = Bounds { limit: 1 << 30, ..hour() };
    let served = Served::open(&volume.join("registry"), bounds, Rights::Push).await;
    let image = served.push_image(&layer(1), "one").await;
    let need = served.store.need(image);
    let upload = served.begin().await;
    // Somebody else fills it.
    let other = volume.join("other");
    while fs::File::options()
        .create(true)
        .append(true)
        .open(&other)
        .unwrap()
        .write_all(&[0; 4096])
        .is_ok()
    {}
    let full = StatusCode::INSUFFICIENT_STORAGE;
    let expected = (full, "SIZE_INVALID".to_owned());
    assert_eq!(code(served.push(&layer(2)).await).await, expected);
    let part = served.ask_at(Method::PATCH, &upload).body(layer(2)).send().await.unwrap();
    assert_eq!(code(part).await, expected);
    let retagged = served.get("manifests/one").await.bytes().await.unwrap();
    let put = served.ask(Method::PUT, "manifests/two").header("content-type", crate::served::IMAGE);
    assert_eq!(code(put.body(retagged).send().await.unwrap()).await, expected);
    assert!(served.has_image(image, &layer(1)).await);

    // One that is opened then has what was there, and takes more when there is room.
    drop(served);
    let served = Served::open(&volume.join("registry"), bounds, Rights::Push).await;
    assert!(served.has_image(image, &layer(1)).await);
    fs::remove_file(&other).unwrap();
    let second = served.push_image(&layer(2), "two").await;
    assert!(served.has_image(second, &layer(2)).await && served.has_image(image, &layer(1)).await);

    // Where the volume is smaller than the bound, images go for new ones all the same.
    drop(need);
    for seed in 3..=8 {
        let image = served.push_image(&layer(seed), "next").await;
        assert!(served.has_image(image, &layer(seed)).await);
    }
    assert!(!served.has_image(image, &layer(1)).await);
}
