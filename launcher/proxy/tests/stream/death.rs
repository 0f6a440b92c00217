//! Replicas that die, and transactions that find none.

use std::collections::BTreeSet;
use std::time::Duration;

use selvedge_proxy::{Event, Limits, Type};

use crate::fake::once;
use crate::fake::scene::Scene;

#[tokio::test]
async fn exactly_the_transactions_of_a_killed_replica_fail() {
    let (mut scene, mut first) = Scene::new(once()).await;
    let mut second = scene.replica().await;
    let txids: Vec<String> = (0..16).map(|number| format!("tx{number}")).collect();
    for (number, txid) in txids.iter().enumerate() {
        scene.peer.begin(txid).await;
        let taker = if number % 2 == 0 { &mut first } else { &mut second };
        taker.expect(Type::Transaction, txid).await;
    }
    first.kill();
    let mut failed = BTreeSet::new();
    for _ in 0..8 {
        let frame = scene.peer.next().await;
        assert_eq!(frame.kind(), Some(Type::Error));
        failed.insert(frame.transaction().txid());
    }
    let expected: BTreeSet<_> = txids.iter().step_by(2).cloned().collect();
    assert_eq!(failed, expected);
    let answered = scene
        .stage
        .event("the loss of the first", |event| match event {
            Event::ReplicaGone { replica: 0, fates, .. } => Some(fates.answered),
            _ => None,
        })
        .await;
    assert_eq!(answered, 8);
    for txid in txids.iter().skip(1).step_by(2) {
        scene.finish(&mut second, txid).await;
    }
    scene.serve(&mut second, "after").await;
}

#[tokio::test]
async fn the_reason_reaches_the_peer() {
    let (mut scene, mut replica) = Scene::new(once()).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    replica.close();
    let text = scene.peer.error("tx").await;
    assert!(text.ends_with("ended while it ran this transaction: it closed its stream"), "{text}");
    assert_eq!(scene.stage.lost(0).await, "it closed its stream");
}

#[tokio::test]
async fn a_death_without_a_goodbye_is_told_in_plain_words() {
    let (mut scene, mut replica) = Scene::new(once()).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    replica.kill();
    let text = scene.peer.error("tx").await;
    assert!(text.ends_with("it ran this transaction: the connection broke off"), "{text}");
}

#[tokio::test]
async fn new_transactions_wait_for_the_next_replica() {
    let (mut scene, first) = Scene::new(Limits::default()).await;
    first.kill();
    scene.stage.lost(0).await;
    scene.peer.begin("a").await;
    scene.peer.begin("b").await;
    let mut second = scene.replica().await;
    second.expect(Type::Transaction, "a").await;
    second.expect(Type::Transaction, "b").await;
    scene.finish(&mut second, "b").await;
    scene.finish(&mut second, "a").await;
}

#[tokio::test]
async fn a_transaction_that_waited_too_long_is_answered() {
    let limits = Limits { replica_wait: Duration::from_millis(200), ..Limits::default() };
    let (mut scene, first) = Scene::new(limits).await;
    first.kill();
    scene.stage.lost(0).await;
    scene.peer.begin("tx").await;
    let text = scene.peer.error("tx").await;
    assert_eq!(text, "no replica of the chaincode became ready within 0.2 s");
    let mut second = scene.replica().await;
    scene.serve(&mut second, "after").await;
}

#[tokio::test]
async fn known_trouble_answers_at_once() {
    let (mut scene, first) = Scene::new(Limits::default()).await;
    first.kill();
    scene.stage.lost(0).await;
    scene.peer.begin("waiting").await;
    let reason = "exit status 2: panic: no such table".to_owned();
    scene.stage.proxy.set_trouble(scene.stage.credential(), reason).await;
    let expected = "no replica of the chaincode is running: exit status 2: panic: no such table";
    assert_eq!(scene.peer.error("waiting").await, expected);
    scene.peer.begin("new").await;
    assert_eq!(scene.peer.error("new").await, expected);
    let mut second = scene.replica().await;
    scene.serve(&mut second, "after").await;
}
