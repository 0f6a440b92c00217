//! Who is not let in, and what a peer takes for no launcher of its own.

use std::fs;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use selvedge_client::LauncherError;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::super::authority::Authority;
use super::super::given::Given;
use super::scene::{Scene, address, issue, status};

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
