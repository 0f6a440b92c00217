//! A proxy with a peer on one side and replicas on the other.

use std::net::TcpListener;
use std::time::Duration;

use selvedge_proxy::{Credential, Event, Limits, Proxy, ProxySettings, RegistrationDeadline, Type};
use tokio::time::Instant;

use super::authority::{Authority, Identity};
use super::flood::Connection;
use super::message;
use super::peer::{Peer, PeerStream};
use super::replica::Replica;
use super::{PACKAGE, soon};

/// A proxy whose peer has a listener, and that was asked for nothing yet.
pub(crate) struct Stage {
    pub(crate) peer: Peer,
    pub(crate) proxy: Proxy,
    pub(crate) authority: Authority,
    identity: Identity,
}

/// A proxy that is linked to its peer.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) peer: PeerStream,
}

/// A proxy's settings for a peer at `address`.
pub(crate) fn settings(address: &str, authority: &Authority, limits: Limits) -> ProxySettings {
    ProxySettings {
        package_id: PACKAGE.into(),
        peer: address.parse().unwrap(),
        credentials: None,
        listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        authority: authority.for_replicas(),
        limits,
        registration: RegistrationDeadline {
            until: Instant::now() + Duration::from_mins(5),
            missed: MISSED.into(),
        },
    }
}

/// What a proxy says that would register too late.
pub(crate) const MISSED: &str = "the launch is over";

impl Stage {
    /// With TLS on both sides, as Fabric has it.
    pub(crate) async fn new(limits: Limits) -> Self {
        Self::with(limits, |_| {}).await
    }

    /// As [`Self::new`], with other settings.
    pub(crate) async fn with(limits: Limits, change: impl FnOnce(&mut ProxySettings)) -> Self {
        let peers = Authority::new("tlsca of the peer");
        let peer = Peer::listen(Some((&peers, "localhost"))).await;
        let authority = Authority::new("replicas");
        let address = format!("localhost:{}", peer.port);
        let mut settings = settings(&address, &authority, limits);
        settings.credentials = Some(peers.chaincode());
        change(&mut settings);
        Self::of(peer, authority, settings)
    }

    pub(crate) fn of(peer: Peer, authority: Authority, settings: ProxySettings) -> Self {
        let identity = authority.replica(PACKAGE);
        Self { peer, proxy: Proxy::start(settings).unwrap(), authority, identity }
    }

    /// A replica's connection without a stream.
    pub(crate) fn connection(&self) -> Connection {
        self.connecting()()
    }

    /// What gives a replica's connection without a stream, on whatever thread.
    pub(crate) fn connecting(&self) -> impl FnOnce() -> Connection + use<> {
        let (address, root) = (self.proxy.address(), self.authority.root.clone());
        let identity = self.identity.clone();
        move || Connection::open(address, &root, &identity)
    }

    /// A replica that has connected and said nothing.
    pub(crate) async fn silent_replica(&self) -> Replica {
        self.connect(Some(&self.identity)).await.unwrap()
    }

    /// A replica that has registered, and heard nothing of it yet.
    pub(crate) async fn registering_replica(&self) -> Replica {
        let mut replica = self.silent_replica().await;
        replica.register().await;
        replica
    }

    /// What the proxy knows replicas by, but for those with another identity.
    pub(crate) fn credential(&self) -> Credential {
        self.identity.credential()
    }

    /// A replica with some identity, or what is wrong with it.
    pub(crate) async fn connect(&self, identity: Option<&Identity>) -> Result<Replica, String> {
        Replica::connect(self.proxy.address(), &self.authority.root, identity).await
    }

    /// The next event that `wanted` picks something from.
    pub(crate) async fn event<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(Event) -> Option<T>,
    ) -> T {
        soon(what, async {
            loop {
                let event = self.proxy.next_event().await.expect(what).event;
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        })
        .await
    }

    /// Why the proxy ended, and whether the peer took it as ready; the last event.
    pub(crate) async fn ended(&mut self) -> (String, bool) {
        let end = self
            .event("the proxy's end", |event| match event {
                Event::Ended { reason, was_ready } => Some((reason, was_ready)),
                _ => None,
            })
            .await;
        assert_eq!(soon("the last event", self.proxy.next_event()).await, None);
        end
    }

    /// Why a replica was lost, whether by its own doing or by the proxy's.
    pub(crate) async fn lost(&mut self, wanted: u64) -> String {
        self.event("the loss of a replica", |event| match event {
            Event::ReplicaGone { replica, reason, .. }
            | Event::ReplicaCutOff { replica, reason, .. }
                if replica == wanted =>
            {
                Some(reason)
            }
            Event::Ended { reason, .. } => panic!("the proxy ended: {reason}"),
            _ => None,
        })
        .await
    }
}

impl Scene {
    /// Linked by a first replica.
    pub(crate) async fn new(limits: Limits) -> (Self, Replica) {
        Self::linked(Stage::new(limits).await).await
    }

    pub(crate) async fn linked(mut stage: Stage) -> (Self, Replica) {
        let mut first = stage.registering_replica().await;
        let mut peer = stage.peer.stream().await;
        peer.accept().await;
        greeting(&mut first).await;
        (Self { stage, peer }, first)
    }

    /// One more replica, which gets transactions from now on.
    pub(crate) async fn replica(&self) -> Replica {
        let mut replica = self.stage.registering_replica().await;
        greeting(&mut replica).await;
        replica
    }

    /// One more replica, with an identity of its own kind.
    pub(crate) async fn replica_of(&self, identity: &Identity) -> Replica {
        let mut replica = self.stage.connect(Some(identity)).await.unwrap();
        replica.register().await;
        greeting(&mut replica).await;
        replica
    }

    /// Runs a transaction that reads once on `replica`, whose turn it must be.
    pub(crate) async fn serve(&mut self, replica: &mut Replica, txid: &str) {
        self.peer.begin(txid).await;
        replica.expect(Type::Transaction, txid).await;
        self.finish(replica, txid).await;
    }

    /// Takes a transaction that `replica` has to its end.
    pub(crate) async fn finish(&mut self, replica: &mut Replica, txid: &str) {
        replica.tell(Type::GetState, txid).await;
        self.peer.expect(Type::GetState, txid).await;
        self.peer.say(message::of(Type::Response, txid, b"value")).await;
        replica.expect(Type::Response, txid).await;
        replica.tell(Type::Completed, txid).await;
        self.peer.expect(Type::Completed, txid).await;
    }
}

/// What a replica hears first: the peer's own words.
pub(crate) async fn greeting(replica: &mut Replica) {
    replica.expect(Type::Registered, "").await;
    assert_eq!(replica.next().await.bytes(), message::ready().bytes());
}
