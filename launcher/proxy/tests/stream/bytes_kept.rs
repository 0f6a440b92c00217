//! A message passes byte for byte, both ways.

use selvedge_proxy::{Frame, Limits, Type};

use crate::fake::message;
use crate::fake::scene::Scene;

/// 64 MiB in which no stretch is like another.
fn large() -> Vec<u8> {
    let mut state = 1_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()
    });
    words.take((64 << 20) / 8).flatten().collect()
}

#[tokio::test]
async fn unknown_fields_pass_with_every_type_that_a_chaincode_may_send() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    let requests = (8..=11).chain(14..=17).chain(19..=25);
    for kind in requests.chain([Type::Completed.into()]) {
        let frame = message::from_the_future(kind, "tx", b"content");
        replica.say(&frame).await;
        assert_eq!(scene.peer.next().await.bytes(), frame.bytes());
        if kind != Type::Completed.into() {
            scene.peer.say(message::of(Type::Response, "tx", b"")).await;
            replica.expect(Type::Response, "tx").await;
        }
    }
}

#[tokio::test]
async fn what_a_newer_peer_says_in_a_transaction_reaches_the_replica() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    let begin = message::from_the_future(Type::Transaction.into(), "tx", b"args");
    scene.peer.begin_with(begin.clone()).await;
    assert_eq!(replica.next().await.bytes(), begin.bytes());
    for kind in [Type::Response.into(), Type::Error.into(), 26, 999, -1] {
        if [Type::Response.into(), Type::Error.into()].contains(&kind) {
            replica.tell(Type::GetState, "tx").await;
            scene.peer.expect(Type::GetState, "tx").await;
        }
        let frame = message::from_the_future(kind, "tx", b"content");
        scene.peer.say(frame.clone()).await;
        assert_eq!(replica.next().await.bytes(), frame.bytes());
    }
    scene.finish(&mut replica, "tx").await;
}

#[tokio::test]
async fn sixty_four_mebibytes_pass_both_ways() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    let content = large();
    let begin = message::from_the_future(Type::Transaction.into(), "tx", &content);
    scene.peer.begin_with(begin.clone()).await;
    let end = message::from_the_future(Type::Completed.into(), "tx", &content);
    // Not assert_eq: it would print them.
    assert!(replica.next().await.bytes() == begin.bytes());
    replica.say(&end).await;
    assert!(scene.peer.next().await.bytes() == end.bytes());
    scene.serve(&mut replica, "after").await;
}

#[tokio::test]
async fn a_message_as_long_as_the_limit_passes() {
    let (mut scene, mut replica) =
        Scene::new(Limits { message: 1 << 20, ..Limits::default() }).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    let around = message::of(Type::Completed, "tx", &vec![7; 1 << 19]).bytes().len() - (1 << 19);
    // Both payload lengths take a varint of as many bytes.
    let frame: Frame = message::of(Type::Completed, "tx", &vec![7; (1 << 20) - around]);
    assert_eq!(frame.bytes().len(), 1 << 20);
    replica.say(&frame).await;
    assert_eq!(scene.peer.next().await.bytes().len(), 1 << 20);
}
