//! What the proxy's owner is told, and when.

use std::time::{Duration, SystemTime};

use selvedge_proxy::{Event, Limits, Notice, Type};

use crate::fake::scene::Scene;
use crate::fake::soon;

/// More than are told of one by one.
const STREAMS: u64 = 100;

#[tokio::test]
async fn streams_that_come_and_go_are_counted_and_hide_nothing() {
    let (mut scene, good) = Scene::new(Limits::default()).await;
    let joined = |event| matches!(event, Event::ReplicaReady { replica: 0, .. }).then_some(());
    scene.stage.event("the replica", joined).await;
    for _ in 0..STREAMS {
        let mut idle = scene.stage.silent_replica().await;
        idle.close();
        idle.end().await.unwrap_err();
    }
    good.kill();
    let mut last = scene.replica().await;
    scene.serve(&mut last, "tx").await;
    scene.stage.proxy.drain(Duration::ZERO).await;
    let (mut one_by_one, mut counted, mut others) = (0, 0, Vec::new());
    while let Some(notice) = soon("the end", scene.stage.proxy.next_event()).await {
        match notice.event {
            Event::ReplicaCutOff { .. } => one_by_one += 1,
            Event::ReplicasLost { number } => counted += number,
            Event::ReplicaGone { replica, .. } => others.push(format!("{replica} is gone")),
            Event::ReplicaReady { replica, .. } => others.push(format!("{replica} is ready")),
            Event::Ended { .. } => others.push("the end".into()),
            Event::Ready
            | Event::ReplicaHung { .. }
            | Event::ReplicaLeft { .. }
            | Event::ReplicaUnreached { .. }
            | Event::TransactionDiffered { .. }
            | Event::Retired { .. }
            | Event::ReplicaReleased { .. }
            | Event::Wanted { .. } => {}
        }
    }
    assert!(counted > 0, "all {one_by_one} were told of one by one");
    assert_eq!(one_by_one + counted, STREAMS);
    let newest = STREAMS + 1;
    assert_eq!(others, ["0 is gone".into(), format!("{newest} is ready"), "the end".into()]);
}

#[tokio::test]
async fn an_event_that_is_heard_of_late_has_its_own_time() {
    let (mut scene, mut replica) = Scene::new(Limits::default()).await;
    scene.peer.begin("tx").await;
    replica.expect(Type::Transaction, "tx").await;
    replica.kill();
    scene.peer.error("tx").await;
    let known = SystemTime::now();
    loop {
        let notice = soon("the loss", scene.stage.proxy.next_event()).await.unwrap();
        if let Notice { at, event: Event::ReplicaGone { .. } } = notice {
            return assert!(at <= known, "{at:?} is after {known:?}");
        }
    }
}
