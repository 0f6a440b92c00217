//! How a proxy ends: drained, or dropped.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use selvedge_proxy::{Limits, Type};

use crate::fake::message;
use crate::fake::scene::{Scene, Stage};

const AMPLE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn what_is_in_flight_finishes_and_what_is_new_is_refused() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.peer.begin("old").await;
    replica.expect(Type::Transaction, "old").await;
    scene.stage.proxy.drain(AMPLE).await;
    // The drain has begun when a transaction is refused; one before that is served.
    for number in 0.. {
        let txid = format!("new{number}");
        scene.peer.begin(&txid).await;
        let refused = tokio::select! {
            _ = replica.expect(Type::Transaction, &txid) => None,
            text = scene.peer.error(&txid) => Some(text),
        };
        if let Some(text) = refused {
            assert_eq!(text, "the chaincode is being stopped");
            break;
        }
        scene.finish(&mut replica, &txid).await;
    }
    scene.finish(&mut replica, "old").await;
    scene.peer.end().await.unwrap();
    let (reason, was_ready) = scene.stage.ended().await;
    assert_eq!((reason.as_str(), was_ready), ("it was asked to stop", true));
}

#[tokio::test]
async fn who_called_is_told_why_there_is_no_replica() {
    let mut stage = Stage::new(Limits::default()).await;
    stage.proxy.refuse("exit status: 3".into()).await;
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    peer.begin("one").await;
    peer.begin("another").await;
    assert_eq!(peer.error("one").await, "exit status: 3");
    assert_eq!(peer.error("another").await, "exit status: 3");
    peer.end().await.unwrap();
    assert_eq!(stage.ended().await, ("it was asked to stop".into(), true));
}

#[tokio::test]
async fn a_replica_that_was_refused_gets_nothing() {
    let mut stage = Stage::new(Limits::default()).await;
    let mut replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    stage.proxy.refuse("it took too long".into()).await;
    peer.accept().await;
    peer.begin("tx").await;
    assert_eq!(peer.error("tx").await, "it took too long");
    assert!(replica.end().await.is_err());
}

#[tokio::test]
async fn what_does_not_finish_is_answered_at_the_limit() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.peer.begin("slow").await;
    replica.expect(Type::Transaction, "slow").await;
    scene.stage.proxy.drain(Duration::from_millis(200)).await;
    assert_eq!(scene.peer.error("slow").await, "the chaincode is being stopped");
    scene.peer.end().await.unwrap();
    assert_eq!(scene.stage.ended().await, ("it was asked to stop".into(), true));
    assert!(replica.end().await.is_err());
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_up_no_drain() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    let request = message::of(Type::PutState, "tx", &[7; 1 << 10]);
    // More than all buffers on the way can take.
    let flood = async {
        loop {
            replica.say(&request).await;
            // Once the proxy is gone nothing else here waits.
            tokio::task::yield_now().await;
        }
    };
    let ending = async {
        scene.stage.proxy.drain(Duration::from_millis(500)).await;
        scene.stage.ended().await
    };
    let ended = tokio::select! {
        () = flood => unreachable!("it has no end"),
        ended = ending => ended,
    };
    assert_eq!(ended, ("it was asked to stop".into(), true));
}

#[tokio::test]
async fn an_idle_proxy_drains_at_once() {
    let (mut scene, _replica) = Scene::new(Limits::default()).await;
    scene.stage.proxy.drain(AMPLE).await;
    scene.peer.end().await.unwrap();
    scene.stage.ended().await;
}

#[tokio::test]
async fn a_proxy_that_is_not_linked_yet_drains_at_once() {
    let mut stage = Stage::new(Limits::default()).await;
    stage.proxy.drain(AMPLE).await;
    assert_eq!(stage.ended().await, ("it was asked to stop".into(), false));

    let mut stage = Stage::new(Limits::default()).await;
    let _replica = stage.registering_replica().await;
    let mut peer = stage.peer.stream().await;
    peer.expect_register().await;
    stage.proxy.drain(AMPLE).await;
    assert_eq!(stage.ended().await, ("it was asked to stop".into(), false));
}

#[tokio::test]
async fn dropping_it_closes_every_socket() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    let silent = scene.stage.silent_replica().await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    let address = scene.stage.proxy.address();
    let begun = Instant::now();
    drop(scene.stage);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).is_err());
    assert!(replica.end().await.is_err());
    let mut silent = silent;
    assert!(silent.end().await.is_err());
    assert!(scene.peer.end().await.is_err());
}
