//! Replicas whose pod is to go: their streams and connections end, and nobody misses them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use selvedge_proxy::{Event, Limits, Type};

use crate::fake::PACKAGE;
use crate::fake::replica::Replica;
use crate::fake::scene::{Scene, Stage, greeting};
use crate::fake::server::ChaincodeServer;

const AMPLE: Duration = Duration::from_mins(1);

/// Where everything here comes from.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Stage {
    /// The number of the next replica that left.
    async fn left(&mut self) -> u64 {
        let left = |event| match event {
            Event::ReplicaLeft { replica, fates, .. } => {
                assert_eq!(fates.answered + fates.run_again, 0);
                Some(replica)
            }
            Event::ReplicaGone { reason, .. } => panic!("told of as lost: {reason}"),
            _ => None,
        };
        self.event("the leaving of a replica", left).await
    }
}

/// Stream and connection end as soon as it has nothing in flight.
async fn goes(scene: &mut Scene, mut going: Replica, txid: &str) {
    scene.finish(&mut going, txid).await;
    going.end().await.unwrap();
    going.disconnected().await;
    assert_eq!(scene.stage.left().await, 0);
}

#[tokio::test]
async fn one_that_dialled_finishes_and_its_connection_ends() {
    let (mut scene, mut going) = Scene::new(Limits::default()).await;
    let own = scene.stage.credential();
    scene.peer.begin("slow").await;
    going.expect(Type::Transaction, "slow").await;
    scene.stage.proxy.release(HERE.into(), own, AMPLE).await;
    // Nobody else is there yet.
    scene.serve(&mut going, "meanwhile").await;
    let identity = scene.stage.authority.replica(PACKAGE);
    let mut next = scene.replica_of(&identity).await;
    for txid in ["a", "b"] {
        scene.serve(&mut next, txid).await;
    }
    goes(&mut scene, going, "slow").await;
    scene.serve(&mut next, "c").await;
    // One more that comes from there is let go, until somebody else is there.
    let mut late = scene.stage.registering_replica().await;
    late.end().await.unwrap();
    late.disconnected().await;
    scene.stage.proxy.vacate(HERE.into(), own).await;
    scene.stage.proxy.release(HERE.into(), identity.credential(), AMPLE).await;
    let mut another = scene.replica().await;
    next.end().await.unwrap();
    scene.serve(&mut another, "d").await;
}

#[tokio::test]
async fn one_that_was_dialled_finishes_and_its_connection_ends() {
    let stage = Stage::new(Limits::default()).await;
    let mut server = ChaincodeServer::listen(None).await;
    let target = server.plain();
    stage.proxy.dial(target).await;
    let mut going = server.replica().await;
    let mut stage = stage;
    let mut peer = stage.peer.stream().await;
    peer.accept().await;
    greeting(&mut going).await;
    let mut scene = Scene { stage, peer };
    let mut other = scene.replica().await;
    scene.peer.begin("slow").await;
    going.expect(Type::Transaction, "slow").await;
    scene.stage.proxy.undial(target.address).await;
    scene.stage.proxy.release(target.address.ip().into(), target.credential, AMPLE).await;
    for txid in ["a", "b"] {
        scene.serve(&mut other, txid).await;
    }
    goes(&mut scene, going, "slow").await;
    assert!(!server.was_called());
}
