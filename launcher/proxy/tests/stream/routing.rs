//! Which replica gets what.

use selvedge_proxy::{Frame, Limits, Type};

use crate::fake::message;
use crate::fake::scene::Scene;

#[tokio::test]
async fn the_replica_with_the_fewest_in_flight_gets_the_next() {
    let (mut scene, mut first) = Scene::new(Limits::default()).await;
    let mut second = scene.replica().await;
    scene.peer.begin("a").await;
    first.expect(Type::Transaction, "a").await;
    for txid in ["b", "c", "d"] {
        scene.serve(&mut second, txid).await;
    }
    scene.finish(&mut first, "a").await;
    // Both are idle: the one that has been so for longer.
    scene.serve(&mut first, "e").await;
}

#[tokio::test]
async fn answers_go_to_the_replica_that_asked() {
    let (mut scene, mut first) = Scene::new(Limits::default()).await;
    let mut second = scene.replica().await;
    scene.peer.begin_on("ch1", "same").await;
    scene.peer.begin_on("ch2", "same").await;
    for (replica, channel) in [(&mut first, "ch1"), (&mut second, "ch2")] {
        assert_eq!(
            replica.expect(Type::Transaction, "same").await.transaction().channel(),
            channel
        );
        replica.say(&message::on(channel, Type::GetState, "same", b"key")).await;
        assert_eq!(
            scene.peer.expect(Type::GetState, "same").await.transaction().channel(),
            channel
        );
    }
    for channel in ["ch2", "ch1"] {
        scene.peer.say(message::on(channel, Type::Response, "same", channel.as_bytes())).await;
    }
    for (replica, channel) in [(&mut first, "ch1"), (&mut second, "ch2")] {
        let answer = replica.expect(Type::Response, "same").await;
        assert_eq!(message::payload(&answer), channel.as_bytes());
        replica.say(&message::on(channel, Type::Completed, "same", b"")).await;
        assert_eq!(
            scene.peer.expect(Type::Completed, "same").await.transaction().channel(),
            channel
        );
    }
}

#[tokio::test]
async fn a_chaincode_can_be_called_twice_within_one_transaction() {
    let (mut scene, mut first) = Scene::new(Limits::default()).await;
    let mut second = scene.replica().await;
    scene.serve(&mut first, "tx").await;
    scene.serve(&mut second, "tx").await;
    scene.serve(&mut first, "tx").await;
}

#[tokio::test]
async fn a_transaction_asked_again_begins_when_its_first_run_has_ended() {
    let (mut scene, mut first) = Scene::new(Limits::default()).await;
    let mut second = scene.replica().await;
    scene.peer.begin("tx").await;
    scene.peer.begin("tx").await;
    scene.peer.begin("another").await;
    first.expect(Type::Transaction, "tx").await;
    second.expect(Type::Transaction, "another").await;
    // The end of a run that the peer has given up is no answer to the next.
    first.tell(Type::Completed, "tx").await;
    scene.finish(&mut second, "another").await;
    first.expect(Type::Transaction, "tx").await;
    scene.finish(&mut first, "tx").await;
}

#[tokio::test]
async fn a_message_after_the_transactions_end_is_answered() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.serve(&mut replica, "tx").await;
    replica.tell(Type::PutState, "tx").await;
    let answer = replica.expect(Type::Error, "tx").await;
    assert!(message::payload(&answer).starts_with(b"no ledger context"));
    // The peer heard nothing of it, and the replica goes on.
    scene.serve(&mut replica, "next").await;
}

#[tokio::test]
async fn signs_of_life_are_answered_to_the_peer_and_kept_from_it() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    replica.say(&Frame::keepalive()).await;
    scene.serve(&mut replica, "tx").await;
    scene.peer.say(Frame::keepalive()).await;
    scene.peer.expect(Type::Keepalive, "").await;
    scene.serve(&mut replica, "next").await;
}
