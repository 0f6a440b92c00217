//! A mirror between a repository of the test's and a client that asks for anything.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use selvedge_buildpack::digest::Sha256;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use walkdir::WalkDir;

use super::super::ahead::Ahead;
use super::*;
use crate::doorway::{Content, said};

const JAR: &str = "/org/example/a/1.0/a-1.0.jar";
const LIST: &str = "/org/example/a/maven-metadata.xml";

/// The files of a repository, and what it was asked for.
#[derive(Default)]
struct Holdings {
    files: BTreeMap<String, Vec<u8>>,
    /// What breaks off in the middle.
    broken: Vec<&'static str>,
    asked: Mutex<Vec<String>>,
}

impl Holdings {
    fn with(mut self, path: &str, content: &[u8]) -> Self {
        self.files.insert(path.to_owned(), content.to_owned());
        self
    }

    /// With its checksum.
    fn with_released(self, path: &str, content: &[u8]) -> Self {
        self.with(path, content).with(&format!("{path}.sha1"), sum(content).as_bytes())
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Content> {
        let path = request.uri().path().strip_prefix("/maven2").unwrap();
        self.asked.lock().unwrap().push(path.to_owned());
        let Some(file) = self.files.get(path) else { return said(StatusCode::NOT_FOUND, "none") };
        let file = Bytes::from(file.clone());
        let length = file.len();
        let mut pieces = vec![Ok(Frame::data(file.slice(..length / 2)))];
        pieces.push(if self.broken.contains(&path) {
            Err(io::Error::other("broken"))
        } else {
            Ok(Frame::data(file.slice(length / 2..)))
        });
        let body = StreamBody::new(tokio_stream::iter(pieces)).boxed();
        Response::builder().header("content-length", length).body(body).unwrap()
    }
}

fn sum(content: &[u8]) -> String {
    hex::encode(Sha1::digest(content))
}

/// A repository that serves until it is dropped.
struct Repository {
    url: String,
    files: Arc<Holdings>,
    _serving: AbortOnDropHandle<()>,
}

impl Repository {
    async fn start(files: Holdings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/maven2/", listener.local_addr().unwrap());
        let files = Arc::new(files);
        let answering = Arc::clone(&files);
        let serving = doorway::serve(listener, 8, move |request| {
            let answering = Arc::clone(&answering);
            async move { answering.answer(&request) }
        });
        Self { url, files, _serving: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    /// What it was asked for since it was asked last.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.files.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

/// A mirror that serves until it is dropped.
struct Mirrored {
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Mirrored {
    async fn start(place: &Path, limit: u64, url: &str) -> Self {
        crate::tls::choose_provider();
        let job = MirrorJob {
            listen: "127.0.0.1:0".parse().unwrap(),
            language: Language::Java,
            dependencies: Some(place.to_owned()),
            limit: Some(limit),
            time: 0,
            authorities: None,
            credentials: None,
            outcome: PathBuf::new(),
        };
        let (address, serving) = serve(&job, Some(url)).await.unwrap();
        Self { address, _serving: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    /// The answer's first line, and its body.
    async fn ask(&self, request: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: anybody\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // What breaks off may be reset.
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let body = answer.get(end + 4..).unwrap_or_default().to_owned();
        (head.lines().next().unwrap_or_default().to_owned(), body)
    }

    async fn get(&self, path: &str) -> (String, Vec<u8>) {
        self.ask(&format!("GET {path}")).await
    }

    /// The files that a build is brought before it asks, with what they hold.
    async fn ahead(&self, needs: Sha256) -> Vec<(String, String)> {
        let home = tempfile::tempdir().unwrap();
        let variables = [("HOME".into(), home.path().into())];
        let tools = Language::Java.toolchain(variables, home.path()).unwrap();
        let (mirror, at) = (Language::Java.mirror().unwrap(), self.address);
        let place = mirror.place(&tools).unwrap();
        let bring = move || Ahead::of(needs, at).unwrap().bring(mirror, &tools).unwrap();
        tokio::task::spawn_blocking(bring).await.unwrap();
        let entries = WalkDir::new(&place).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().is_file());
        let told = files.map(|file| {
            let path = file.path().strip_prefix(&place).unwrap().to_str().unwrap().to_owned();
            (path, fs::read_to_string(file.path()).unwrap())
        });
        told.collect()
    }

    /// Has noted what a build asked for that did well.
    async fn note(&self, needs: Sha256) {
        let at = self.address;
        let note = move || Ahead::of(needs, at).unwrap().note().unwrap();
        tokio::task::spawn_blocking(note).await.unwrap();
    }

    async fn account(&self) -> String {
        String::from_utf8(self.get(ACCOUNT).await.1).unwrap()
    }
}

fn found(body: &[u8]) -> (String, Vec<u8>) {
    ("HTTP/1.1 200 OK".to_owned(), body.to_owned())
}

/// The file that is kept of a path, if any is.
fn kept(place: &Path, path: &str) -> Option<PathBuf> {
    let repositories = fs::read_dir(place.join("mirrors/maven")).unwrap();
    let [repository] = &repositories.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..]
    else {
        panic!("one repository")
    };
    Some(repository.join(&path[1..])).filter(|file| file.exists())
}

#[tokio::test]
async fn what_lasts_is_fetched_once() {
    let place = tempfile::tempdir().unwrap();
    let files = Holdings::default().with_released(JAR, b"jar").with(LIST, b"list");
    let repository = Repository::start(files).await;
    let first = Mirrored::start(place.path(), 1 << 20, &repository.url).await;
    assert_eq!(first.get(JAR).await, found(b"jar"));
    let checksum = format!("{JAR}.sha1");
    assert_eq!(repository.asked(), [JAR, &checksum]);
    assert_eq!(first.get(&checksum).await, found(sum(b"jar").as_bytes()));
    assert_eq!(first.get(LIST).await, found(b"list"));
    assert_eq!(first.get(LIST).await, found(b"list"));
    assert_eq!(repository.asked(), [LIST, LIST]);
    assert!(kept(place.path(), LIST).is_none());
    let head = first.ask(&format!("HEAD {JAR}")).await;
    assert_eq!(head, found(b""));

    let second = Mirrored::start(place.path(), 1 << 20, &repository.url).await;
    drop((first, repository));
    assert_eq!(second.get(JAR).await, found(b"jar"));
    assert_eq!(second.get(&checksum).await, found(sum(b"jar").as_bytes()));
    let account = second.account().await;
    assert!(account.contains("1 files (0.0 MiB) were kept, 0 files"), "{account}");
    let (status, _) = second.get(LIST).await;
    assert!(status.starts_with("HTTP/1.1 502 127.0.0.1 cannot be asked: "), "{status}");
}

#[tokio::test]
async fn what_others_of_the_same_needs_asked_for_comes_ahead() {
    const OTHER: &str = "/org/example/b/1.0/b-1.0.pom";
    let place = tempfile::tempdir().unwrap();
    let files = Holdings::default().with_released(JAR, b"jar").with_released(OTHER, b"pom");
    let repository = Repository::start(files.with(LIST, b"list")).await;
    let needs = Sha256::of(b"needs");
    let start = || Mirrored::start(place.path(), 1 << 20, &repository.url);

    let first = start().await;
    assert_eq!(first.ahead(needs).await, []);
    for path in [JAR, OTHER, LIST] {
        first.get(path).await;
    }
    first.note(needs).await;
    repository.asked();

    let second = start().await;
    let all = [(&JAR[1..], "jar"), (&OTHER[1..], "pom")];
    assert_eq!(second.ahead(needs).await, all.map(|(path, text)| (path.into(), text.into())));
    assert!(repository.asked().is_empty());
    // What a package runs comes too late to say other needs.
    let (status, _) = second.get(&format!("{NEEDS}{}", needs.hex())).await;
    assert!(status.starts_with("HTTP/1.1 409 "), "{status}");

    fs::write(kept(place.path(), JAR).unwrap(), "ja").unwrap();
    assert_eq!(start().await.ahead(needs).await, [(OTHER[1..].into(), "pom".into())]);
    assert_eq!(start().await.ahead(Sha256::of(b"other")).await, []);
}

#[tokio::test]
async fn a_repository_has_its_own() {
    let place = tempfile::tempdir().unwrap();
    let one = Repository::start(Holdings::default().with_released(JAR, b"jar")).await;
    let other = Repository::start(Holdings::default()).await;
    let mirrored = Mirrored::start(place.path(), 1 << 20, &one.url).await;
    assert_eq!(mirrored.get(JAR).await, found(b"jar"));
    let mirrored = Mirrored::start(place.path(), 1 << 20, &other.url).await;
    assert_eq!(mirrored.get(JAR).await.0, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn what_is_not_what_the_repository_says_of_it_is_not_kept() {
    let place = tempfile::tempdir().unwrap();
    let names = ["lie", "mute", "short", "true"];
    let [lie, mute, short, told] = names.map(|name| format!("/g/{name}/1/{name}-1.jar"));
    let mut files = Holdings::default()
        .with(&lie, b"lie")
        .with(&format!("{lie}.sha1"), sum(b"truth").as_bytes())
        .with(&mute, b"mute")
        .with_released(&short, b"not whole")
        .with_released(&told, b"true");
    files.broken.push("/g/short/1/short-1.jar");
    let repository = Repository::start(files).await;
    let mirrored = Mirrored::start(place.path(), 1 << 20, &repository.url).await;
    // The build's own tools complain, or not, as they would without a mirror.
    assert_eq!(mirrored.get(&lie).await, found(b"lie"));
    assert_eq!(mirrored.get(&mute).await, found(b"mute"));
    assert!(mirrored.get(&short).await.0.starts_with("HTTP/1.1 502 "));
    assert_eq!(mirrored.get(&told).await, found(b"true"));
    for path in [&lie, &mute, &short] {
        assert!(kept(place.path(), path).is_none(), "{path}");
    }
    assert!(kept(place.path(), &told).is_some());
    let coming = place.path().join("mirrors/coming");
    assert_eq!(fs::read_dir(coming).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_damaged_is_fetched_anew() {
    let place = tempfile::tempdir().unwrap();
    let repository = Repository::start(Holdings::default().with_released(JAR, b"jar")).await;
    let mirrored = Mirrored::start(place.path(), 1 << 20, &repository.url).await;
    assert_eq!(mirrored.get(JAR).await, found(b"jar"));
    fs::write(kept(place.path(), JAR).unwrap(), "ja").unwrap();
    assert_eq!(mirrored.get(JAR).await, found(b"jar"));
    assert_eq!(fs::read(kept(place.path(), JAR).unwrap()).unwrap(), b"jar");
}

#[tokio::test]
async fn no_more_is_kept_than_may_be() {
    let place = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c", "d"];
    let [a, b, c, d] = names.map(|name| format!("/g/{name}/1/{name}-1.jar"));
    let files = Holdings::default()
        .with_released(&a, &[1; 600])
        .with_released(&b, &[2; 600])
        .with_released(&c, &[3; 300])
        .with_released(&d, &[4; 2000]);
    let repository = Repository::start(files).await;
    let mirrored = Mirrored::start(place.path(), 1000, &repository.url).await;
    for (path, content) in [(&a, &[1; 600][..]), (&b, &[2; 600]), (&c, &[3; 300]), (&d, &[4; 2000])]
    {
        assert_eq!(mirrored.get(path).await, found(content));
    }
    let all_kept = || [&a, &b, &c, &d].map(|path| kept(place.path(), path).is_some());
    assert_eq!(all_kept(), [true, false, true, false]);

    // What was not used for long makes room, with its checksum.
    let old = kept(place.path(), &a).unwrap();
    for file in [old.clone(), old.with_extension("jar.sha1")] {
        let time = SystemTime::now() - Duration::from_hours(3);
        File::open(file).unwrap().set_modified(time).unwrap();
    }
    let mirrored = Mirrored::start(place.path(), 900, &repository.url).await;
    assert_eq!(mirrored.get(&b).await, found(&[2; 600]));
    assert_eq!(all_kept(), [false, false, true, false], "the checksums take room, too");
    assert!(!old.with_extension("jar.sha1").exists());
}

#[tokio::test]
async fn what_is_no_file_of_the_repository_is_not_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let secret = place.path().join("secret-1.jar");
    fs::write(&secret, "secret").unwrap();
    let repository = Repository::start(Holdings::default()).await;
    let mirrored = Mirrored::start(&place.path().join("kept"), 1 << 20, &repository.url).await;
    for path in [
        "/../../../secret-1.jar",
        "/org/example/secret/1/../../../../../../../secret-1.jar",
        "/g/secret/1/..%2f..%2f..%2f..%2f..%2fsecret-1.jar",
        "/%2e%2e/%2e%2e/secret-1.jar",
        "//etc/passwd",
        "/a/./b",
        "/a%00b",
        "/a?b=c",
        "http://127.0.0.1/a",
        "/",
        "*",
    ] {
        let (status, body) = mirrored.get(path).await;
        assert!(status.starts_with("HTTP/1.1 400 "), "{path}: {status}");
        assert!(!body.starts_with(b"secret"), "{path}");
    }
    for method in ["PUT", "POST", "DELETE", "CONNECT", "OPTIONS"] {
        let (status, _) = mirrored.ask(&format!("{method} {JAR}")).await;
        let is_refused = ["HTTP/1.1 405 ", "HTTP/1.1 400 "].iter().any(|s| status.starts_with(s));
        assert!(is_refused, "{method}: {status}");
    }
    let (status, _) = mirrored.get(&format!("/{}", "a".repeat(100_000))).await;
    assert!(["HTTP/1.1 400", "HTTP/1.1 414"].iter().any(|s| status.starts_with(s)), "{status}");
    assert!(repository.asked().is_empty());
}
