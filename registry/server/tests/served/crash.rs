//! What is interrupted, torn or damaged: nothing of it is ever taken for what it is not, and what was sent
//! need not be sent again.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, io};

use reqwest::{Method, StatusCode};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{Layout, sha256};
use selvedge_registry_server::Rights;
use tokio::task::spawn_blocking;

use crate::served::{PLENTY, Served, code, manifest};

/// Where the process finds its directory that is killed.
const DIRECTORY: &str = "SELVEDGE_TEST_REGISTRY";

const BLOB: &[u8] = &[9; 1000];

/// What is waited for comes within this time, or never.
const LIMIT: Duration = Duration::from_mins(1);

/// Sends the first 400 bytes of a part of 1000, and hangs up.
fn hang_up(served: &Served, upload: &str) {
    let login = served.ask(Method::GET, "").build().unwrap();
    let login = login.headers()["authorization"].to_str().unwrap();
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: {}\r\nAuthorization: {login}\r\nContent-Length: 1000\r\n\r\n",
        served.host
    );
    let mut stream = TcpStream::connect(&served.host).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&BLOB[..400]).unwrap();
}

/// Looks until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let seen = tokio::time::timeout(LIMIT, looking).await;
    seen.unwrap_or_else(|_| panic!("{what} never came"));
}

/// Waits until so much of an upload is there, and nobody writes to it.
async fn has(served: &Served, upload: &str, range: &str) {
    until(range, async || {
        let status = served.ask_at(Method::GET, upload).send().await.unwrap();
        // Nothing is added by it, so it tells whether somebody else has the upload.
        let idle = served.ask_at(Method::PATCH, upload).send().await.unwrap();
        status.headers()["range"] == range && idle.status() == StatusCode::ACCEPTED
    })
    .await;
}

async fn go_on(served: &Served, upload: &str) {
    let rest = served.ask_at(Method::PATCH, upload).header("content-range", "400-999");
    let rest = rest.body(&BLOB[400..]).send().await.unwrap();
    assert_eq!(rest.status(), StatusCode::ACCEPTED);
    let path = format!("{upload}?digest={}", Sha256::of(BLOB));
    let ended = served.ask_at(Method::PUT, &path).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::CREATED);
    let blob = served.get(&format!("blobs/{}", Sha256::of(BLOB))).await;
    assert_eq!(blob.bytes().await.unwrap(), BLOB);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_was_interrupted() {
    let served = Served::new(PLENTY).await;
    let upload = served.begin().await;
    hang_up(&served, &upload);
    has(&served, &upload, "0-399").await;
    // Not elsewhere.
    let late = served.ask_at(Method::PATCH, &upload).header("content-range", "500-999");
    let late = late.body(&BLOB[500..]).send().await.unwrap();
    assert_eq!(late.headers()["range"], "0-399");
    let expected = (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID".to_owned());
    assert_eq!(code(late).await, expected);
    go_on(&served, &upload).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_with_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
    let upload = served.begin().await;
    hang_up(&served, &upload);
    has(&served, &upload, "0-399").await;
    drop(served);
    let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
    go_on(&served, &upload).await;
}

/// What a crash of the machine may make of what was not on the disk yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_torn_becomes_no_blob() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
    let upload = served.begin().await;
    let whole = served.ask_at(Method::PATCH, &upload).body(BLOB).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::ACCEPTED);
    let id = upload.rsplit('/').next().unwrap();
    let file = File::options().write(true).open(directory.path().join("uploads").join(id)).unwrap();
    file.set_len(512).unwrap();
    file.set_len(1000).unwrap();
    let path = format!("{upload}?digest={}", Sha256::of(BLOB));
    let ended = served.ask_at(Method::PUT, &path).send().await.unwrap();
    assert_eq!(code(ended).await, (StatusCode::BAD_REQUEST, "DIGEST_INVALID".to_owned()));
    let blob = served.get(&format!("blobs/{}", Sha256::of(BLOB))).await;
    assert_eq!(blob.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_is_gone_and_can_be_pushed_again() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
    let image = served.push_image(BLOB, "one").await;
    drop(served);
    let path = |digest: Sha256| directory.path().join("blobs/sha256").join(digest.hex());
    fs::write(path(Sha256::of(BLOB)), [8; 1000]).unwrap();
    let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
    assert!(!served.has_image(image, BLOB).await);
    assert_eq!(served.push_image(BLOB, "one").await, image);
    assert!(served.has_image(image, BLOB).await);

    fs::write(path(image), "{}").unwrap();
    assert!(!served.has_image(image, BLOB).await);
    assert_eq!(served.push_image(BLOB, "one").await, image);
    assert!(served.has_image(image, BLOB).await);
    for (file, content) in [("index.json", "{\"schema"), ("index.json", ""), ("oci-layout", "{}")] {
        fs::write(directory.path().join(file), content).unwrap();
        let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
        assert_eq!(served.push_image(BLOB, "one").await, image, "{file}");
        assert!(served.has_image(image, BLOB).await, "{file}");
    }
}

/// A process that serves until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn served_until_killed() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let served = Served::open(Path::new(&directory), PLENTY, Rights::Push).await;
    println!("\nserves {} {}", served.host, served.login.password);
    io::stdout().flush().unwrap();
    std::future::pending::<()>().await;
}

/// Everything that is listed is whole, and every blob is what its name says.
fn is_sound(directory: &Path) -> HashSet<Sha256> {
    let layout = Layout::open(directory).unwrap();
    for blob in fs::read_dir(layout.blobs()).unwrap() {
        let path = blob.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(Sha256::of(&fs::read(path).unwrap()).hex(), name);
    }
    let listed = layout.catalogue().unwrap();
    for manifest in &listed {
        let read = layout.manifest(manifest).unwrap();
        for blob in read.layers().iter().chain([read.config()]) {
            assert_eq!(layout.open_blob(sha256(blob).unwrap()).unwrap().1, blob.size());
        }
    }
    listed.iter().filter_map(sha256).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_torn_in_a_process_that_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..4_u8 {
        let mut process = Command::new(env::current_exe().unwrap());
        process.args(["--exact", "crash::served_until_killed", "--nocapture"]);
        process.env(DIRECTORY, directory.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = process.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let serves =
            lines.find_map(|line| line.strip_prefix("serves ").map(str::to_owned)).unwrap();
        let (host, password) = serves.split_once(' ').unwrap();
        let url = format!("http://{host}/v2/{}", crate::served::NAME);
        // Several clients push until nobody answers any more.
        let mut pushing = tokio::task::JoinSet::new();
        for client in 0..4_u8 {
            let (url, password) = (url.clone(), password.to_owned());
            pushing.spawn(async move { push_on(&url, &password, [round, client]).await });
        }
        // When some images are there; whatever is going on then is interrupted.
        let there = |directory: &Path| {
            Layout::open(directory).map_or(0, |layout| layout.catalogue().unwrap().len())
        };
        let before = there(directory.path());
        until(&format!("8 images in round {round}"), async || {
            there(directory.path()) >= before + 8
        })
        .await;
        spawn_blocking(move || {
            process.kill().unwrap();
            process.wait().unwrap();
        })
        .await
        .unwrap();
        let pushed: Vec<HashSet<Sha256>> = pushing.join_all().await;
        let pushed: HashSet<Sha256> = pushed.into_iter().flatten().collect();
        let sound = is_sound(directory.path());
        assert!(pushed.len() > 4 && pushed.is_subset(&sound), "what was taken is gone");
        // The next one goes on with it.
        let served = Served::open(directory.path(), PLENTY, Rights::Push).await;
        served.store.tend();
        assert!(sound.is_subset(&is_sound(directory.path())));
    }
}

/// Pushes one image after another; those that were taken.
async fn push_on(url: &str, password: &str, seed: [u8; 2]) -> HashSet<Sha256> {
    let http = reqwest::Client::new();
    let mut taken = HashSet::new();
    for number in 0..u32::MAX {
        let layer = [&seed[..], &number.to_le_bytes(), &vec![0; 20_000]].concat();
        let config = format!("{{\"of\":\"{}\"}}", Sha256::of(&layer));
        let manifest = manifest(&config, &layer);
        let put = format!("{url}/manifests/tag-{}-{}", seed[1], number % 3);
        let upload = |blob: &[u8]| format!("{url}/blobs/uploads/?digest={}", Sha256::of(blob));
        for (method, url, body) in [
            (Method::POST, upload(&layer), layer.clone()),
            (Method::POST, upload(config.as_bytes()), config.clone().into_bytes()),
            (Method::PUT, put, manifest.clone().into_bytes()),
        ] {
            let request = http.request(method, url).basic_auth("tester", Some(password));
            let request = request.header("content-type", crate::served::IMAGE).body(body);
            match request.send().await {
                Ok(answer) => assert_eq!(answer.status(), StatusCode::CREATED),
                Err(_) => return taken,
            }
        }
        taken.insert(Sha256::of(manifest.as_bytes()));
    }
    taken
}
