//! Replicas that listen: the proxy dials them, and has them beside those that dial in.

use std::time::Duration;

use bytes::Bytes;
use selvedge_proxy::{Credential, Event, Frame, Limits, Security, Target, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fake::authority::{Authority, Identity};
use crate::fake::scene::{Scene, Stage, greeting};
use crate::fake::server::ChaincodeServer;
use crate::fake::{PACKAGE, once, soon};

/// A proxy that is linked by a replica which it has dialled.
async fn linked(
    mut stage: Stage,
    server: &mut ChaincodeServer,
    target: Target,
) -> (Scene, crate::fake::replica::Replica) {
    stage.proxy.dial(target).await;
    let mut replica = server.replica().await;
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    greeting(&mut replica).await;
    (Scene { stage, peer }, replica)
}

/// A server with a certificate of the stage's authority, and that certificate.
async fn server(stage: &Stage) -> (ChaincodeServer, Identity) {
    let identity = stage.authority.server(PACKAGE);
    let server = ChaincodeServer::listen(Some((&stage.authority, &identity))).await;
    (server, identity)
}

/// The next thing that is told of a replica that was dialled and is none.
async fn failed(stage: &mut Stage) -> (Credential, String) {
    stage
        .event("a failure", |event| match event {
            Event::ReplicaCutOff { credential, reason, .. } => Some((credential, reason)),
            _ => None,
        })
        .await
}

fn impatient() -> Limits {
    Limits { first_message: Duration::from_millis(200), ..Limits::default() }
}

#[tokio::test]
async fn one_that_listens_and_one_that_dials_in_share_the_transactions() {
    let stage = Stage::new(Limits::default()).await;
    let (mut server, identity) = server(&stage).await;
    let target = server.with_tls(identity.credential());
    let (mut scene, mut listening) = linked(stage, &mut server, target).await;
    let ready = |event| match event {
        Event::ReplicaReady { credential, .. } => Some(credential),
        _ => None,
    };
    assert_eq!(scene.stage.event("it is ready", ready).await, identity.credential());
    let mut dialling = scene.replica().await;
    for (one, other) in [("a", "b"), ("c", "d")] {
        scene.peer.begin(one).await;
        scene.peer.begin(other).await;
        listening.expect(Type::Transaction, one).await;
        dialling.expect(Type::Transaction, other).await;
        scene.finish(&mut listening, one).await;
        scene.finish(&mut dialling, other).await;
    }
}

#[tokio::test]
async fn one_without_tls_is_known_by_what_it_is_dialled_for() {
    let mut server = ChaincodeServer::listen(None).await;
    let target = server.plain();
    let stage = Stage::new(Limits::default()).await;
    let (mut scene, mut replica) = linked(stage, &mut server, target).await;
    scene.serve(&mut replica, "tx").await;
    scene.stage.proxy.retire(target.credential, Duration::from_secs(30)).await;
    let retired = |event| matches!(event, Event::Retired { .. }).then_some(event);
    let expected = Event::Retired { credential: target.credential, answered: 0 };
    assert_eq!(scene.stage.event("its retirement", retired).await, expected);
}

#[tokio::test]
async fn one_that_is_not_there_is_dialled_until_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut stage = Stage::new(impatient()).await;
    let identity = stage.authority.server(PACKAGE);
    let credential = identity.credential();
    stage.proxy.dial(Target { address, credential, security: Security::Tls }).await;
    let unreached = |event| match event {
        Event::ReplicaUnreached { address, credential, reason } => {
            Some((address, credential, reason))
        }
        _ => None,
    };
    let (told, whose, reason) = stage.event("that it is not there", unreached).await;
    assert_eq!((told, whose), (address, credential));
    assert!(reason.contains("refused"), "{reason}");
    let listener = TcpListener::bind(address).await.unwrap();
    let mut server = ChaincodeServer::on(listener, Some((&stage.authority, &identity)));
    let mut replica = server.replica().await;
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    greeting(&mut replica).await;
    Scene { stage, peer }.serve(&mut replica, "tx").await;
}

#[tokio::test]
async fn one_that_is_killed_is_dialled_again_and_its_transactions_are_answered() {
    let stage = Stage::new(once()).await;
    let (mut server, identity) = server(&stage).await;
    let target = server.with_tls(identity.credential());
    let (mut scene, mut replica) = linked(stage, &mut server, target).await;
    for round in 0..3 {
        let txid = format!("tx{round}");
        scene.peer.begin(&txid).await;
        replica.expect(Type::Transaction, &txid).await;
        replica.kill();
        let text = scene.peer.error(&txid).await;
        assert!(text.ends_with("it ran this transaction: the connection broke off"), "{text}");
        replica = server.replica().await;
        greeting(&mut replica).await;
    }
    scene.serve(&mut replica, "after").await;
}

#[tokio::test]
async fn one_that_ends_its_stream_well_is_dialled_again() {
    let mut server = ChaincodeServer::listen(None).await;
    let target = server.plain();
    let stage = Stage::new(Limits::default()).await;
    let (mut scene, mut replica) = linked(stage, &mut server, target).await;
    replica.close();
    assert_eq!(scene.stage.lost(0).await, "it closed its stream");
    assert!(replica.end().await.is_ok());
    let mut next = server.replica().await;
    greeting(&mut next).await;
    scene.serve(&mut next, "tx").await;
}

#[tokio::test]
async fn who_is_retired_or_not_dialled_any_more_is_left_alone() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(ChaincodeServer::listen(None).await);
    }
    let [retired, undialled, other] = &mut servers[..] else { unreachable!() };
    let credential = Credential::of(b"another set");
    let target = other.plain();
    let stage = Stage::new(Limits::default()).await;
    let (scene, mut replica) = linked(stage, other, target).await;
    let proxy = &scene.stage.proxy;
    proxy.dial(Target { credential, ..retired.plain() }).await;
    proxy.dial(undialled.plain()).await;
    let leaving = [retired.replica().await, undialled.replica().await];
    proxy.retire(credential, Duration::from_secs(30)).await;
    proxy.dial(Target { credential, ..retired.plain() }).await;
    proxy.undial(undialled.address).await;
    leaving.iter().for_each(crate::fake::replica::Replica::kill);
    // Time enough for who is dialled again.
    for _ in 0..3 {
        replica.kill();
        replica = other.replica().await;
        greeting(&mut replica).await;
    }
    assert!(!retired.was_called() && !undialled.was_called());
}

#[tokio::test]
async fn one_with_anothers_certificate_is_told_of_once_and_gets_nothing() {
    let mut stage = Stage::new(Limits::default()).await;
    let expected = stage.authority.server(PACKAGE).credential();
    let another = Authority::new("another").server(PACKAGE);
    let of_another_set = stage.authority.server(PACKAGE);
    let of_no_server = stage.authority.replica(PACKAGE);
    for (shown, reason) in [
        (&another, "invalid peer certificate: UnknownIssuer"),
        (&of_another_set, "its certificate is not that of its set"),
        (&of_no_server, "not valid for name"),
    ] {
        let server = ChaincodeServer::listen(Some((&stage.authority, shown))).await;
        stage.proxy.dial(server.with_tls(expected)).await;
        let (whose, told) = failed(&mut stage).await;
        assert_eq!(whose, expected);
        assert!(told.contains(reason), "{told}");
        assert!(told.ends_with(&format!("(at {})", server.address)), "{told}");
        assert!(!server.was_called());
    }
    let mut good = ChaincodeServer::listen(None).await;
    let (target, mut told) = (good.plain(), 0);
    let (mut scene, mut replica) = linked(stage, &mut good, target).await;
    for round in 0..5 {
        replica.kill();
        replica = good.replica().await;
        greeting(&mut replica).await;
        scene.serve(&mut replica, &format!("tx{round}")).await;
    }
    scene.stage.proxy.drain(Duration::ZERO).await;
    while let Some(notice) = soon("the end", scene.stage.proxy.next_event()).await {
        told += usize::from(matches!(notice.event, Event::ReplicaCutOff { .. }));
    }
    assert_eq!(told, 0, "it was told again");
}

#[tokio::test]
async fn one_that_listens_without_tls_where_it_should_have_it() {
    let mut stage = Stage::new(impatient()).await;
    let server = ChaincodeServer::listen(None).await;
    stage.proxy.dial(server.with_tls(stage.credential())).await;
    let told = stage
        .event("what is wrong", |event| match event {
            Event::ReplicaUnreached { reason, .. } | Event::ReplicaCutOff { reason, .. } => {
                Some(reason)
            }
            _ => None,
        })
        .await;
    assert!(told.contains("TLS") || told.contains("tls") || told.contains("corrupt"), "{told}");
    assert!(!server.was_called());
}

#[tokio::test]
async fn one_that_accepts_and_never_speaks_is_given_up_and_tried_again() {
    let mut stage = Stage::new(impatient()).await;
    let (mut server, identity) = server(&stage).await;
    stage.proxy.dial(server.with_tls(identity.credential())).await;
    let mut silent = server.stream().await;
    let (_, reason) = failed(&mut stage).await;
    assert!(reason.starts_with("it did not register: it sent nothing for 0.2 s"), "{reason}");
    let _ended = silent.end().await;
    let mut replica = server.replica().await;
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    greeting(&mut replica).await;
    Scene { stage, peer }.serve(&mut replica, "tx").await;
}

#[tokio::test]
async fn first_messages_that_are_no_registration_of_this_package() {
    let mut server = ChaincodeServer::listen(None).await;
    let target = server.plain();
    let stage = Stage::new(Limits::default()).await;
    let (mut scene, mut good) = Scene::linked(stage).await;
    scene.stage.proxy.dial(target).await;
    for (first, reason) in [
        (Frame::register("another_1.0:cd34").bytes().clone(), "another_1.0:cd34"),
        (Frame::keepalive().bytes().clone(), "its first message was not REGISTER"),
        (Bytes::from_static(b"nothing like it"), "not a chaincode message"),
    ] {
        let mut bad = server.stream().await;
        bad.say_raw(crate::fake::message::grpc(&first)).await;
        let (_, told) = failed(&mut scene.stage).await;
        assert!(told.contains(reason), "{told}");
        let _ended = bad.end().await;
        scene.serve(&mut good, reason).await;
    }
    let mut replica = server.replica().await;
    greeting(&mut replica).await;
    drop(good);
    scene.stage.lost(0).await;
    scene.serve(&mut replica, "tx").await;
}

#[tokio::test]
async fn a_server_of_something_else_is_told_of() {
    let limits = impatient();
    let mut stage = Stage::new(limits).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let credential = Credential::of(b"a set of replicas");
    stage.proxy.dial(Target { address, credential, security: Security::Plain }).await;
    let serving = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1 << 10]).await;
            let _ =
                socket.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        }
    });
    let unreached = |event| match event {
        Event::ReplicaUnreached { reason, .. } => Some(reason),
        _ => None,
    };
    let reason = stage.event("what is wrong", unreached).await;
    assert!(reason.contains("frame"), "{reason}");
    serving.abort();
}

#[tokio::test]
async fn a_breach_costs_a_dialled_replica_its_connection_and_no_other() {
    let mut server = ChaincodeServer::listen(None).await;
    let target = server.plain();
    let stage = Stage::new(Limits::default()).await;
    let (mut scene, mut bad) = linked(stage, &mut server, target).await;
    let mut good = scene.replica().await;
    scene.peer.begin("bad's").await;
    bad.expect(Type::Transaction, "bad's").await;
    bad.tell(Type::Register, "bad's").await;
    let text = scene.peer.error("bad's").await;
    assert!(text.contains("it broke the protocol"), "{text}");
    let _ended = bad.end().await;
    scene.serve(&mut good, "good's").await;
}
