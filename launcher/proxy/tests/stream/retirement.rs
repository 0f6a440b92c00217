//! Replicas that others replace, while the peer notices nothing.

use std::time::Duration;

use selvedge_proxy::{Credential, Event, Limits, Type};

use crate::fake::PACKAGE;
use crate::fake::authority::Identity;
use crate::fake::replica::Replica;
use crate::fake::scene::{Scene, Stage, greeting};

const AMPLE: Duration = Duration::from_mins(1);

/// A scene with a replica, and one that is to replace it.
async fn succession() -> (Scene, Replica, Replica, Identity) {
    let (mut scene, old) = Scene::new(Limits::default()).await;
    let identity = scene.stage.authority.replica(PACKAGE);
    let new = scene.replica_of(&identity).await;
    let joined = |event| match event {
        Event::ReplicaReady { replica: 1, credential, .. } => Some(credential),
        _ => None,
    };
    assert_eq!(scene.stage.event("the new replica", joined).await, identity.credential());
    (scene, old, new, identity)
}

impl Stage {
    /// What was retired, and how many transactions were ended with it.
    async fn retired(&mut self) -> (Credential, usize) {
        let retired = |event| match event {
            Event::Retired { credential, answered } => Some((credential, answered)),
            Event::ReplicaGone { reason, .. } => panic!("told of as lost: {reason}"),
            _ => None,
        };
        self.event("the retirement", retired).await
    }
}

#[tokio::test]
async fn replicas_are_replaced_without_a_failed_transaction() {
    let (mut scene, mut old, mut new, _) = succession().await;
    let own = scene.stage.credential();
    scene.peer.begin("slow").await;
    old.expect(Type::Transaction, "slow").await;
    scene.serve(&mut new, "quick").await;
    // The second one is told of at once: then the first is known, too.
    scene.stage.proxy.retire(own, AMPLE).await;
    scene.stage.proxy.retire(Credential::of(b"nobody's"), AMPLE).await;
    assert_eq!(scene.stage.retired().await, (Credential::of(b"nobody's"), 0));
    scene.peer.begin("first").await;
    new.expect(Type::Transaction, "first").await;
    // Both have one in flight, and it would be the old one's turn.
    scene.serve(&mut new, "second").await;
    scene.finish(&mut old, "slow").await;
    assert_eq!(scene.stage.retired().await, (own, 0));
    old.end().await.unwrap();
    let left = |event| match event {
        Event::ReplicaLeft { replica: 0, credential, fates, .. } => {
            Some((credential, fates.answered))
        }
        Event::ReplicaGone { reason, .. } => panic!("told of as lost: {reason}"),
        _ => None,
    };
    assert_eq!(scene.stage.event("the end of the old replica", left).await, (own, 0));
    // One more that comes late is let go at once.
    scene.stage.registering_replica().await.end().await.unwrap();
    scene.serve(&mut new, "third").await;
    scene.finish(&mut new, "first").await;
}

#[tokio::test]
async fn what_does_not_finish_is_answered_at_the_limit_and_the_others_go_on() {
    let (mut scene, mut old, mut new, _) = succession().await;
    scene.peer.begin("endless").await;
    old.expect(Type::Transaction, "endless").await;
    scene.stage.proxy.retire(scene.stage.credential(), Duration::from_millis(200)).await;
    let text = scene.peer.error("endless").await;
    assert!(text.starts_with("the chaincode's replica is being replaced, and did not"), "{text}");
    assert!(text.ends_with("within another 0.2 s"), "{text}");
    assert_eq!(scene.stage.retired().await, (scene.stage.credential(), 1));
    scene.serve(&mut new, "next").await;
}

#[tokio::test]
async fn a_retirement_before_the_peer_is_linked_is_told_of_at_once() {
    let mut stage = Stage::new(Limits::default()).await;
    let own = stage.credential();
    stage.proxy.retire(own, AMPLE).await;
    assert_eq!(stage.retired().await, (own, 0));
    let _late = stage.registering_replica().await;
    let identity = stage.authority.replica(PACKAGE);
    let mut new = stage.connect(Some(&identity)).await.unwrap();
    assert!(!stage.peer.was_asked(), "for one that gets nothing");
    new.register().await;
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    let mut scene = Scene { stage, peer };
    greeting(&mut new).await;
    scene.serve(&mut new, "tx").await;
}

#[tokio::test]
async fn replicas_find_room_beside_those_that_they_replace() {
    let (mut scene, mut old) = Scene::new(Limits { replicas: 1, ..Limits::default() }).await;
    let identity = scene.stage.authority.replica(PACKAGE);
    let mut new = scene.replica_of(&identity).await;
    scene.serve(&mut old, "one").await;
    scene.serve(&mut new, "another").await;
    let mut second = scene.stage.registering_replica().await;
    let status = second.end().await.unwrap_err();
    assert_eq!(status.message(), "it is one replica too many, the limit is 1");
}
