//! Who is let in, on both sides.

use selvedge_proxy::{Event, Limits, Proxy, ProxyError};

use crate::fake::authority::Authority;
use crate::fake::peer::Peer;
use crate::fake::scene::{Scene, Stage, settings};
use crate::fake::{PACKAGE, soon};

/// Starts a proxy towards a peer at `host` whose certificate is for `named`; why it ended.
async fn ended(host: &str, named: &str, given: &Authority, shown: &Authority) -> String {
    let peer = Peer::listen(Some((shown, named))).await;
    let authority = Authority::new("replicas");
    let mut settings = settings(&format!("{host}:{}", peer.port), &authority, Limits::default());
    settings.credentials = Some(given.chaincode());
    let mut proxy = Proxy::start(settings).unwrap();
    match soon("the proxy's end", proxy.next_event()).await.unwrap().event {
        Event::Ended { reason, was_ready: false } => reason,
        event => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn fabrics_key_under_the_wrong_label_links() {
    let key = Authority::new("tlsca of the peer").chaincode().key;
    assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"));
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.serve(&mut replica, "tx").await;
}

#[tokio::test]
async fn a_peer_known_by_its_ip_address_links() {
    let peers = Authority::new("tlsca of the peer");
    let peer = Peer::listen(Some((&peers, "127.0.0.1"))).await;
    let authority = Authority::new("replicas");
    let mut settings = settings(&format!("127.0.0.1:{}", peer.port), &authority, Limits::default());
    settings.credentials = Some(peers.chaincode());
    let (mut scene, mut replica) = Scene::linked(Stage::of(peer, authority, settings)).await;
    scene.serve(&mut replica, "tx").await;
}

#[tokio::test]
async fn a_peer_without_tls_links() {
    let peer = Peer::listen(None).await;
    let authority = Authority::new("replicas");
    let settings = settings(&format!("localhost:{}", peer.port), &authority, Limits::default());
    let (mut scene, mut replica) = Scene::linked(Stage::of(peer, authority, settings)).await;
    scene.serve(&mut replica, "tx").await;
}

#[tokio::test]
async fn a_peer_with_a_certificate_for_another_host_is_not_trusted() {
    let peers = Authority::new("tlsca of the peer");
    let reason = ended("localhost", "peer1.org1.example.com", &peers, &peers).await;
    assert!(reason.contains("not valid for name"), "{reason}");
}

#[tokio::test]
async fn a_peer_of_another_authority_is_not_trusted() {
    let (given, shown) = (Authority::new("given"), Authority::new("shown"));
    let reason = ended("localhost", "localhost", &given, &shown).await;
    assert!(reason.starts_with("cannot connect to the peer at localhost:"), "{reason}");
    assert!(reason.ends_with(": invalid peer certificate: UnknownIssuer"), "{reason}");
}

#[tokio::test]
async fn credentials_that_cannot_be_used_are_refused_at_the_start() {
    let authority = Authority::new("replicas");
    let mut of_the_peer = settings("localhost:7052", &authority, Limits::default());
    let mut broken = authority.chaincode();
    broken.key = "no key".into();
    of_the_peer.credentials = Some(broken);
    assert!(matches!(Proxy::start(of_the_peer), Err(ProxyError::Credentials(_))));

    let mut of_replicas = settings("localhost:7052", &authority, Limits::default());
    of_replicas.authority.root = "no certificate".into();
    assert!(matches!(Proxy::start(of_replicas), Err(ProxyError::Authority(_))));
}

#[tokio::test]
async fn a_replica_must_show_a_certificate_of_this_authority_for_this_package() {
    let (mut scene, mut good) = Scene::new(Limits::default()).await;
    let own = &scene.stage.authority;
    let strangers = [
        ("none", None),
        ("another authority's", Some(Authority::new("another").replica(PACKAGE))),
        ("another package's", Some(own.replica("another_1.0:cd34"))),
        ("a host's", Some(own.host(PACKAGE))),
    ];
    for (whose, identity) in strangers {
        let refused = scene.stage.connect(identity.as_ref()).await.err().expect(whose);
        // No more than a closed connection: nobody is told what would be let in.
        assert!(refused.contains("Transport"), "{whose}: {refused}");
        scene.serve(&mut good, whose).await;
    }
}
