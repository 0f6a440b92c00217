//! How the proxy gets its stream to the peer, and what it says when it does not.

use std::time::Duration;

use selvedge_proxy::{Event, Frame, Limits, Proxy};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::fake::authority::Authority;
use crate::fake::message;
use crate::fake::scene::{MISSED, Scene, Stage, greeting, settings};
use crate::fake::soon;

/// Limits that a peer which says nothing meets soon.
fn impatient() -> Limits {
    Limits { registration: Duration::from_millis(300), ..Limits::default() }
}

#[tokio::test]
async fn the_peer_is_asked_only_after_a_replica_has_registered() {
    let mut stage = Stage::new(Limits::default()).await;
    let mut stranger = stage.silent_replica().await;
    stranger.say(&Frame::register("another_1.0:cd34")).await;
    stage.lost(0).await;
    assert!(!stage.peer.was_asked());
    let mut replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    peer.say(Frame::registered()).await;
    peer.say(message::ready()).await;
    greeting(&mut replica).await;
    stage.event("Ready", |event| (event == Event::Ready).then_some(())).await;
}

#[tokio::test]
async fn replicas_get_the_peers_ready_whenever_they_join() {
    let mut stage = Stage::new(Limits::default()).await;
    let mut early = [stage.registering_replica().await, stage.registering_replica().await];
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    for replica in &mut early {
        greeting(replica).await;
    }
    let scene = Scene { stage, peer };
    // Compares the greeting byte for byte.
    scene.replica().await;
}

#[tokio::test]
async fn a_replica_that_dies_during_the_registration_is_replaced() {
    let mut stage = Stage::new(Limits::default()).await;
    let first = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    first.kill();
    peer.say(Frame::registered()).await;
    peer.say(message::ready()).await;
    stage.lost(0).await;
    let mut scene = Scene { stage, peer };
    let mut second = scene.replica().await;
    scene.serve(&mut second, "tx").await;
}

#[tokio::test]
async fn a_peer_that_refuses_gives_its_reason() {
    let mut stage = Stage::new(Limits::default()).await;
    let _replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    peer.refuse("peer will not accept external chaincode connection").await;
    let (reason, was_ready) = stage.ended().await;
    assert!(!was_ready);
    let address = format!("localhost:{}", stage.peer.port);
    assert!(reason.contains(&address), "{reason}");
    assert!(reason.ends_with(": peer will not accept external chaincode connection"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_closes_before_ready_ends_the_proxy() {
    let mut stage = Stage::new(Limits::default()).await;
    let _replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    peer.say(Frame::registered()).await;
    drop(peer);
    let (reason, was_ready) = stage.ended().await;
    assert!(!was_ready);
    assert!(reason.contains("ended the registration"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_answers_out_of_turn_ends_the_proxy() {
    let mut stage = Stage::new(Limits::default()).await;
    let _replica = stage.registering_replica().await;
    let peer = stage.peer.stream().await;
    peer.say(message::ready()).await;
    let (reason, was_ready) = stage.ended().await;
    assert!(!was_ready);
    assert!(reason.ends_with("expected REGISTERED, got READY"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_never_answers_ends_the_proxy() {
    let mut stage = Stage::new(impatient()).await;
    let _replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    let (reason, was_ready) = stage.ended().await;
    assert!(!was_ready);
    assert!(reason.contains("did not accept the registration within 0.3 s"), "{reason}");
}

/// A stage on which the peer must have accepted within that time.
async fn hurried(time: Duration) -> Stage {
    let limits = Limits { registration: Duration::from_mins(5), ..Limits::default() };
    Stage::with(limits, |settings| settings.registration.until = Instant::now() + time).await
}

#[tokio::test]
async fn a_replica_that_comes_when_the_launch_is_over_is_not_registered() {
    let mut stage = hurried(Duration::ZERO).await;
    let mut replica = stage.registering_replica().await;
    assert_eq!(stage.ended().await, (MISSED.into(), false));
    replica.end().await.unwrap_err();
    assert!(!stage.peer.was_asked());
}

#[tokio::test]
async fn a_launch_that_is_over_is_not_refused_by_registering() {
    let mut stage = hurried(Duration::ZERO).await;
    stage.proxy.refuse("it took too long".into()).await;
    assert_eq!(stage.ended().await, (MISSED.into(), false));
    assert!(!stage.peer.was_asked());
}

#[tokio::test]
async fn a_registration_is_given_up_when_the_launch_is_over() {
    let mut stage = hurried(Duration::from_secs(5)).await;
    let _replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    let (reason, was_ready) = stage.ended().await;
    assert!(!was_ready);
    assert!(reason.contains("did not accept the registration within"), "{reason}");
    assert!(peer.end().await.is_err());
}

#[tokio::test]
async fn a_peer_that_is_not_there_ends_the_proxy_at_once() {
    let authority = Authority::new("replicas");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut proxy = Proxy::start(settings(&address, &authority, Limits::default())).unwrap();
    let event = soon("the proxy's end", proxy.next_event()).await.unwrap().event;
    let Event::Ended { reason, was_ready: false } = event else { panic!("{event:?}") };
    assert!(reason.contains(&format!("cannot connect to the peer at {address}")), "{reason}");
    assert_eq!(reason.matches("refused").count(), 1, "{reason}");
}

#[tokio::test]
async fn a_peer_that_takes_the_connection_and_no_more_ends_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let authority = Authority::new("replicas");
    let mut settings = settings(&address, &authority, impatient());
    settings.credentials = Some(Authority::new("tlsca of the peer").chaincode());
    let mut proxy = Proxy::start(settings).unwrap();
    let _mute = soon("a connection", listener.accept()).await.unwrap();
    let event = soon("the proxy's end", proxy.next_event()).await.unwrap().event;
    let Event::Ended { reason, was_ready: false } = event else { panic!("{event:?}") };
    assert!(reason.contains(&format!("cannot connect to the peer at {address}")), "{reason}");
}

#[tokio::test]
async fn the_loss_of_the_peer_ends_the_proxy_and_its_replicas() {
    let (scene, mut replica) = Scene::new(Limits::default()).await;
    let Scene { mut stage, peer } = scene;
    peer.refuse("error handling message, ending stream").await;
    let (reason, was_ready) = stage.ended().await;
    assert!(was_ready);
    assert!(reason.ends_with("error handling message, ending stream"), "{reason}");
    assert!(replica.end().await.is_err());
}
