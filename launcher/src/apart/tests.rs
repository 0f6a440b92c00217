//! A launcher apart, called by the real client over real sockets, with real certificates.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use selvedge_client::{Address, Caller, Connection, LauncherError};
use selvedge_proto::launcher::launcher_client::LauncherClient;
use selvedge_proto::launcher::launcher_server::LauncherServer;
use selvedge_proto::launcher::{
    BuildLogRequest, BuildRequest, BuildsRequest, ChaincodeSource, ExamineRequest, LogsRequest,
    RunEvent, RunRequest, RunStart, StatusRequest, StatusResponse, build_request, run_request,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Request, Streaming};

use super::authority::Authority;
use super::certifier::Certifier;
use super::door::Door;
use super::given::Given;
use super::issue::Issue;
use crate::api::{LauncherApi, Way};
use crate::configuration::{self, Configuration};
use crate::opening::{Opening, begin};
use crate::running::Running;
use crate::seen::Seen;
use crate::settings::{Command, Settings};

/// A launcher that has not looked around: who is let in waits, and is told of.
struct Scene {
    directory: TempDir,
    configuration: Configuration,
    port: u16,
    api: LauncherApi,
    _opening: Opening,
    _served: Vec<AbortOnDropHandle<()>>,
}

/// What the operator's file says.
fn file(peers: &str) -> String {
    format!(
        "apiVersion: selvedge/v1\napart:\n  address: 127.0.0.1:0\n  names: [127.0.0.1]\n  \
         mspId: Org1MSP\n  peers: {peers}\n"
    )
}

impl Scene {
    /// One for peer0 and peer1.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("selvedge.yaml");
        fs::write(&path, file("[peer0, peer1]")).unwrap();
        let (configuration, watcher) = configuration::open(Some(&path)).unwrap();
        let apart = configuration.now();
        let authority = directory.path().join("data/authority");
        let door = Door::open(apart.apart().unwrap(), &authority, configuration.clone()).await;
        let door = door.unwrap();
        let port = door.address().port();
        let (opening, entrance) = begin();
        let running = Running::default();
        let api = LauncherApi::new(entrance, running, configuration.clone(), Seen::default());
        let service = LauncherServer::new(api.by(Way::Apart));
        let served = async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(door.arrivals(CancellationToken::new())).await.unwrap();
        };
        let served = [tokio::spawn(served), tokio::spawn(watcher.unwrap().watch())];
        let served = served.into_iter().map(AbortOnDropHandle::new).collect();
        Self { directory, configuration, port, api, _opening: opening, _served: served }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Has credentials issued, as an operator does; where they are.
    fn issue(&self, peer: &str) -> PathBuf {
        let to = self.path(peer);
        issue(&self.path("data"), peer, &to);
        to
    }

    fn address(&self, credentials: &Path) -> Address {
        address(&format!("tls:127.0.0.1:{}", self.port), credentials)
    }

    /// Calls as the peer with these credentials.
    async fn client(&self, credentials: &Path) -> LauncherClient<Connection> {
        self.address(credentials).connect().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Why a peer with these credentials is not let in.
    async fn refusal(&self, credentials: &Path) -> LauncherError {
        self.address(credentials).connect().await.map(drop).unwrap_err()
    }
}

fn address(text: &str, credentials: &Path) -> Address {
    Address::parse(text, Caller::Builder).unwrap().showing(credentials.into())
}

fn issue(data: &Path, peer: &str, to: &Path) {
    issuing(&[peer, "--to", to.to_str().unwrap(), "--data-dir", data.to_str().unwrap()])
        .run()
        .unwrap();
}

/// What is typed to issue.
fn issuing(arguments: &[&str]) -> Issue {
    let typed = ["selvedge-launcher", "issue"].iter().chain(arguments);
    match Settings::try_parse_from(typed).unwrap().command {
        Some(Command::Issue(issue)) => issue,
        other => panic!("{other:?}"),
    }
}

/// What the peer is told of.
async fn status(client: &mut LauncherClient<Connection>) -> StatusResponse {
    client.status(StatusRequest {}).await.unwrap().into_inner()
}

/// Calls as a peer's `run` does, and waits until the launcher has taken it up.
async fn run(client: &mut LauncherClient<Connection>, msp_id: &str) -> Streaming<RunEvent> {
    let start = RunStart {
        package_id: "basic_1.0:01".into(),
        peer_address: "127.0.0.1:7052".into(),
        msp_id: msp_id.into(),
        source: Some(ChaincodeSource { r#type: "golang".into(), ..ChaincodeSource::default() }),
        ..RunStart::default()
    };
    let start = RunRequest { content: Some(run_request::Content::Start(start)) };
    let requests = tokio_stream::once(start).chain(tokio_stream::pending());
    client.run(requests).await.unwrap().into_inner()
}

fn packages(status: &StatusResponse) -> Vec<(&str, &str)> {
    status.chaincodes.iter().map(|it| (&*it.peer, &*it.package_id)).collect()
}

#[tokio::test]
async fn a_peer_is_let_in_and_known_by_its_certificate() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let mut client = scene.client(&credentials).await;
    assert_eq!(status(&mut client).await.launcher.unwrap().peer, "peer0");
    let examined = client.examine(ExamineRequest {}).await.unwrap().into_inner();
    let said: Vec<_> = examined.findings.into_iter().map(|found| found.said).collect();
    assert_eq!(said, ["the launcher knows this peer as peer0"]);
    let key = fs::metadata(credentials.join("tls.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn each_peer_has_to_do_with_its_own_chaincode_alone() {
    let scene = Scene::new().await;
    let mut one = scene.client(&scene.issue("peer0")).await;
    let mut other = scene.client(&scene.issue("peer1")).await;
    let mut mine = run(&mut one, "Org1MSP").await;
    mine.message().await.unwrap();
    let (basic, label) = ("basic_1.0:01", "basic_1.0");
    assert_eq!(packages(&status(&mut one).await), [("peer0", basic)]);
    assert_eq!(packages(&status(&mut other).await), []);
    let lines = |peer: &str| LogsRequest {
        chaincode: label.into(),
        peer: peer.into(),
        ..LogsRequest::default()
    };
    // Whatever it says of itself.
    let refused = other.logs(lines("peer0")).await.unwrap_err();
    assert!(refused.message().starts_with("no chaincode basic_1.0 was run"), "{refused}");

    // The same package for the same address: it ends nothing of another's.
    let mut its = run(&mut other, "Org1MSP").await;
    its.message().await.unwrap();
    assert_eq!(packages(&status(&mut other).await), [("peer1", basic)]);
    assert_eq!(packages(&status(&mut one).await), [("peer0", basic)]);
    for (client, peer) in [(&mut one, "peer1"), (&mut other, "peer0")] {
        let mut told = client.logs(lines(peer)).await.unwrap().into_inner();
        let told = told.message().await.unwrap().unwrap();
        assert_eq!(told.lines.len(), 1, "{told:?}");
    }

    // A build likewise.
    let start = ChaincodeSource { r#type: "golang".into(), ..ChaincodeSource::default() };
    let start = BuildRequest { content: Some(build_request::Content::Start(start)) };
    let requests = tokio_stream::once(start).chain(tokio_stream::pending());
    let mut build = one.build(requests).await.unwrap().into_inner();
    build.message().await.unwrap();
    let [known] = &one.builds(BuildsRequest {}).await.unwrap().into_inner().builds[..] else {
        panic!("one was called for")
    };
    assert_eq!(known.peer, "peer0");
    assert!(other.builds(BuildsRequest {}).await.unwrap().into_inner().builds.is_empty());
    let request = BuildLogRequest { id: known.id, follow: false };
    assert!(one.build_log(request).await.is_ok());
    assert_eq!(other.build_log(request).await.unwrap_err().code(), Code::NotFound);

    // Who is beside the launcher sees to all of it.
    let mut beside = LauncherClient::new(LauncherServer::new(scene.api.by(Way::Beside)));
    let all = beside.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(packages(&all), [("peer0", basic), ("peer1", basic)]);
    let refused = beside.logs(lines("")).await.unwrap_err();
    assert!(refused.message().ends_with("by --peer: peer0, peer1"), "{refused}");
    beside.logs(lines("peer1")).await.unwrap();
}

#[tokio::test]
async fn chaincode_of_another_organisation_is_not_run() {
    let scene = Scene::new().await;
    let mut client = scene.client(&scene.issue("peer0")).await;
    let refused = run(&mut client, "Org2MSP").await.message().await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let expected = "the launcher is for peers of Org1MSP (apart.mspId), and peer0 has chaincode run for \
                    \"Org2MSP\"";
    assert_eq!(refused.message(), expected);
    assert!(status(&mut client).await.chaincodes.is_empty());
}

#[tokio::test]
async fn who_is_not_in_the_list_is_refused_by_name_from_the_next_call_on() {
    let scene = Scene::new().await;
    let third = scene.issue("peer2");
    let address = scene.address(&third);
    let refused = scene.client(&third).await.status(StatusRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let told = address.fault(&refused).to_string();
    assert!(
        told.starts_with("the launcher is not for peer2, as this peer's certificate"),
        "{told}"
    );
    assert!(told.contains("add it to apart.peers"), "{told}");

    let mut client = scene.client(&scene.issue("peer1")).await;
    status(&mut client).await;
    let mut configuration = scene.configuration.clone();
    fs::write(scene.path("selvedge.yaml"), file("[peer0, peer2]")).unwrap();
    configuration.changed().await;
    let refused = client.status(StatusRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    status(&mut scene.client(&third).await).await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let other = scene.path("other");
    issue(&scene.path("elsewhere"), "peer0", &other);
    // Which has not the launcher's certificate either.
    let refused = scene.refusal(&other).await;
    assert!(matches!(refused, LauncherError::Impostor { .. }), "{refused}");
    fs::copy(credentials.join("ca.crt"), other.join("ca.crt")).unwrap();
    let refused = scene.refusal(&other).await.to_string();
    assert!(refused.contains("as its certificate is of another authority"), "{refused}");
    assert!(refused.contains("renewed by `selvedge-launcher issue PEER`"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused_and_a_renewed_one_taken_at_once() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let authority = Authority::open(&scene.path("data/authority")).unwrap();
    let issued = authority.peer(&"peer0".parse().unwrap(), Duration::seconds(-5)).unwrap();
    Given { root: authority.root().to_owned(), issued }.write(&credentials).unwrap();
    let refused = scene.refusal(&credentials).await.to_string();
    assert!(refused.contains("as its certificate has expired"), "{refused}");
    assert!(refused.contains(credentials.to_str().unwrap()), "{refused}");
    scene.issue("peer0");
    status(&mut scene.client(&credentials).await).await;
}

#[tokio::test]
async fn without_a_certificate_nobody_is_let_in() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let nowhere = scene.refusal(&scene.path("nowhere")).await;
    let told = nowhere.to_string();
    assert!(matches!(nowhere, LauncherError::Credentials { .. }), "{told}");
    assert!(told.contains("name its directory by SELVEDGE_CREDENTIALS"), "{told}");

    // One that does not even try.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(credentials.join("ca.crt")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(("127.0.0.1", scene.port)).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    let refused = stream.read_u8().await.unwrap_err();
    let refused = refused.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
    assert_eq!(*refused, rustls::Error::AlertReceived(AlertDescription::CertificateRequired));
}

#[tokio::test]
async fn a_certificate_without_its_key_is_nobodys() {
    let scene = Scene::new().await;
    let (one, other) = (scene.issue("peer0"), scene.issue("peer1"));
    fs::copy(one.join("tls.crt"), other.join("tls.crt")).unwrap();
    let refused = scene.refusal(&other).await;
    assert!(matches!(refused, LauncherError::Credentials { .. }), "{refused}");
}

#[tokio::test]
async fn a_launcher_under_another_name_is_not_taken_for_it() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let address = address(&format!("tls:localhost:{}", scene.port), &credentials);
    let refused = address.connect().await.map(drop).unwrap_err();
    assert!(matches!(refused, LauncherError::Impostor { .. }), "{refused}");
    assert!(refused.to_string().contains("call it as apart.names"), "{refused}");
}

#[tokio::test]
async fn what_is_no_launcher_is_told_from_one() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!("tls:{}", listener.local_addr().unwrap());
    let address = address(&text, &credentials);
    let called = tokio::spawn({
        let address = address.clone();
        async move { address.connect().await.map(drop).unwrap_err() }
    });
    let (mut socket, _) = listener.accept().await.unwrap();
    socket.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await.unwrap();
    let told = called.await.unwrap().to_string();
    let expected =
        format!("what listens at {text} is no Selvedge launcher: set SELVEDGE_LAUNCHER to");
    assert!(told.starts_with(&expected), "{told}");
    drop((socket, listener));
    let told = address.connect().await.map(drop).unwrap_err().to_string();
    assert!(told.starts_with(&format!("no launcher at {text}: start selvedge-launcher")), "{told}");
}

#[tokio::test]
async fn a_call_that_came_through_the_door_and_is_nobodys_is_refused() {
    let scene = Scene::new().await;
    let mut client = LauncherClient::new(LauncherServer::new(scene.api.by(Way::Apart)));
    let refused = client.status(Request::new(StatusRequest {})).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[test]
fn the_launchers_certificate_is_made_anew_before_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::open(&directory.path().join("authority")).unwrap();
    let certifier = Certifier::new(authority, Configuration::of(&file("[]"))).unwrap();
    let now = OffsetDateTime::now_utc();
    let at = |days| certifier.at(now + Duration::days(days)).cert[0].to_vec();
    let first = at(0);
    assert_eq!(at(3), first);
    let second = at(4);
    assert_ne!(second, first);
    assert_eq!(at(7), second);
}

#[test]
fn an_authority_is_made_once_and_anothers_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/authority");
    let open = || Authority::open(&path).map(|authority| authority.root().to_owned());
    let made = open().unwrap();
    assert_eq!(open().unwrap(), made);
    let mode = fs::metadata(path.join("tls.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let other = directory.path().join("other");
    Authority::open(&other).unwrap();
    fs::copy(other.join("tls.key"), path.join("tls.key")).unwrap();
    let refused = open().unwrap_err().to_string();
    assert!(refused.contains("does not hold an authority that a launcher has made"), "{refused}");
    fs::remove_file(path.join("tls.crt")).unwrap();
    assert!(open().unwrap_err().to_string().contains("tls.crt"));
}

#[test]
fn credentials_are_a_secret_too_and_short_lived() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let authority = Authority::open(&directory.path().join("authority")).unwrap();
    let issued = authority.peer(&"peer0".parse().unwrap(), Duration::days(30)).unwrap();
    let secret = Given { root: authority.root().to_owned(), issued }.secret("peer0-launcher");
    assert_eq!(secret["metadata"]["name"], "peer0-launcher");
    for file in ["ca.crt", "tls.crt", "tls.key"] {
        assert!(secret["stringData"][file].as_str().unwrap().starts_with("-----BEGIN "), "{file}");
    }
    for life in ["0s", "366d"] {
        let issue = issuing(&["peer0", "--secret", "s", "--for", life, "--data-dir", data]);
        let refused = issue.run().unwrap_err().to_string();
        assert!(refused.contains("365 days at most"), "{life}: {refused}");
    }
    for wrong in [&["peer0"][..], &["a peer", "--to", "x"], &["p", "--to", "x", "--secret", "s"]] {
        let typed = ["selvedge-launcher", "issue"].iter().chain(wrong);
        assert!(Settings::try_parse_from(typed).is_err(), "{wrong:?}");
    }
}
