//! One chaincode's proxy: a thread with the stream to the peer and the replicas' streams.
//!
//! A thread each, with a runtime that does not leave it: a message crosses no
//! thread on its way, and a replica that floods its proxy slows no other chaincode.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tracing::{Span, info_span};

use crate::credentials::{PeerAddress, PeerCredentials, ReplicaAuthority};
use crate::dialler::{Dialler, Target};
use crate::event::{Event, Notice};
use crate::exchange::{Command, Exchange};
use crate::figures::Figures;
use crate::identity::{Credential, Origin};
use crate::limits::Limits;
use crate::memory::Memory;
use crate::notices::{self, NoticeSender, Notices};
use crate::on_demand::OnDemand;
use crate::peer_endpoint::PeerEndpoint;
use crate::registration::RegistrationDeadline;
use crate::replica::Place;
use crate::replica_connection::Host;
use crate::replicas::Replicas;
use crate::switch::Switch;
use crate::wakes::Wakes;

/// What a proxy needs to know of its chaincode.
pub struct ProxySettings {
    /// The package ID, which the proxy registers and every replica must register.
    pub package_id: String,
    /// Where the peer listens for chaincode.
    pub peer: PeerAddress,
    /// What the peer gave to register with; `None` when it has no TLS.
    pub credentials: Option<PeerCredentials>,
    /// The listening socket for replicas.
    pub listener: TcpListener,
    /// The proxy's identity towards replicas, and theirs.
    pub authority: ReplicaAuthority,
    /// The bounds to work within.
    pub limits: Limits,
    /// Until when the peer may be asked for registration.
    pub registration: RegistrationDeadline,
}

/// Why a proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The socket for replicas cannot be used.
    #[error("cannot use the socket for the chaincode's replicas")]
    Listener(#[source] std::io::Error),
    /// The thread could not be made.
    #[error("cannot start the proxy's thread")]
    Thread(#[source] std::io::Error),
    /// What the peer gave to register with cannot be used.
    #[error("cannot use the credentials that the peer gave")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The proxy's identity towards replicas, or their authority, cannot be used.
    #[error("cannot use the certificates for the chaincode's replicas")]
    Authority(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A running proxy. Dropping it ends the link to the peer at once.
pub struct Proxy {
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    events: Notices,
    figures: Figures,
    /// Its end ends the thread.
    alive: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts to serve replicas. The peer is connected at once, and asked for
    /// registration when the first replica has registered.
    pub fn start(settings: ProxySettings) -> Result<Self, ProxyError> {
        settings.listener.set_nonblocking(true).map_err(ProxyError::Listener)?;
        let address = settings.listener.local_addr().map_err(ProxyError::Listener)?;
        let peer = PeerEndpoint::new(
            settings.peer.clone(),
            settings.credentials.as_ref(),
            settings.limits.clone(),
            settings.registration.clone(),
        )
        .map_err(|error| ProxyError::Credentials(error.into()))?;
        let tls = settings
            .authority
            .server_config()
            .map_err(|error| ProxyError::Authority(error.into()))?;
        let tls = TlsAcceptor::from(Arc::new(tls));
        let dialler = Dialler::new(&settings.authority, settings.limits.first_message)
            .map_err(|error| ProxyError::Authority(error.into()))?;
        let (commands, command_queue) = mpsc::channel(4);
        let (event_queue, events) = notices::channel();
        let figures = Figures::default();
        let told = figures.clone();
        let (alive, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ProxyError::Thread)?;
        let span = info_span!("proxy", package_id = settings.package_id);
        let thread = std::thread::Builder::new()
            .name("shim-proxy".into())
            .spawn(move || {
                let link =
                    run(settings, (tls, dialler), peer, command_queue, (event_queue, told), span);
                // A task, since the runtime asks the kernel for news before it goes on with
                // what is no task: one system call more for each message.
                let mut link = runtime.spawn(link);
                let exchange = runtime.block_on(async {
                    tokio::select! {
                        exchange = &mut link => exchange.ok(),
                        _ = ended => None,
                    }
                });
                // Closes all sockets, but does not wait for a name lookup under way.
                runtime.shutdown_background();
                // Not sooner: replicas are to see a broken stream, not one that ends well.
                drop(exchange);
            })
            .map_err(ProxyError::Thread)?;
        Ok(Self { address, commands, events, figures, alive: Some(alive), thread: Some(thread) })
    }

    /// Where replicas connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next event; `None` after [`Event::Ended`].
    pub async fn next_event(&mut self) -> Option<Notice> {
        self.events.recv().await
    }

    /// Says why no replica with this credential will come soon: transactions that wait for one
    /// are answered with it, and new ones too, until a replica registers. What is said of a
    /// credential that is retired means nothing any more. Of replicas that are there on demand it
    /// concerns what waits now, if none of them is there: the next call asks for one again.
    pub async fn set_trouble(&self, credential: Credential, reason: String) {
        // A proxy that has ended has nothing waiting.
        let _ = self.commands.send(Command::Trouble(credential, reason)).await;
    }

    /// From now on there are replicas with one credential only while they are called for, within
    /// these bounds; `None` if all are there to stay. The peer is asked for registration at once, and
    /// [`Event::Wanted`] says how many there are to be. What is said of others is over with it: they
    /// are to be retired.
    pub async fn set_on_demand(&self, on_demand: Option<OnDemand>) {
        let _ = self.commands.send(Command::OnDemand(on_demand)).await;
    }

    /// Whether transactions that begin from now on are run again when their replica ends
    /// ([`Limits::replay`]).
    pub async fn set_replay(&self, is_wanted: bool) {
        let _ = self.commands.send(Command::Replay(is_wanted)).await;
    }

    /// What it has to do, and has had so far, now and later.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Dials a replica that listens, and takes it for one that has connected. It is dialled again
    /// whenever it is not there, until [`Self::undial`] or its credential is retired. One that is
    /// not there for a while is told of ([`Event::ReplicaUnreached`]), as is what is there and is
    /// none ([`Event::ReplicaCutOff`]).
    pub async fn dial(&self, target: Target) {
        let _ = self.commands.send(Command::Dial(target)).await;
    }

    /// Does not dial there any more. A replica that is connected stays for as long as it is there.
    pub async fn undial(&self, address: SocketAddr) {
        let _ = self.commands.send(Command::Undial(address)).await;
    }

    /// Gives no new transaction to replicas with this credential, be they there or to come. What
    /// they have in flight goes on as before, for up to `limit`, and what is left then is answered
    /// with an error. [`Event::Retired`] says that they may go, or [`Event::Ended`], should that
    /// come first; that their streams end is no loss from now on ([`Event::ReplicaLeft`]).
    ///
    /// The streams of those that may go are ended well, as are those of others that come later, and
    /// there is no way back. Called again, it is the new limit that counts; what is retired already
    /// is told of at once. New transactions wait where no other replica is there: let others register
    /// before.
    pub async fn retire(&self, credential: Credential, limit: Duration) {
        let _ = self.commands.send(Command::Retire(credential, limit)).await;
    }

    /// Lets the replicas with this credential go that are of this `origin`: their pod, or process, is to
    /// go. While others are there that answer, they get no new transaction, and as soon as
    /// they have nothing in flight their streams are ended well; what others could not take is left to
    /// them for up to `limit`. What they have in flight then is answered with an error, and their
    /// streams end. That is no loss ([`Event::ReplicaLeft`]). The same goes for those that come to be
    /// there, until [`Self::vacate`].
    pub async fn release(&self, origin: Origin, credential: Credential, limit: Duration) {
        let place = Place { origin: origin.canonical(), credential };
        let _ = self.commands.send(Command::Release(place, limit)).await;
    }

    /// Says that what was released there is gone: who comes from there now is another.
    pub async fn vacate(&self, origin: Origin, credential: Credential) {
        let place = Place { origin: origin.canonical(), credential };
        let _ = self.commands.send(Command::Vacate(place)).await;
    }

    /// Says that there will be no replica, and why. A peer passes on nothing of a launch that
    /// fails: so the proxy registers, if it has not yet and there is time for it, answers what is
    /// sent at once with the reason, and ends the link. [`Event::Ended`] follows.
    pub async fn refuse(&self, reason: String) {
        let _ = self.commands.send(Command::Refuse(reason)).await;
    }

    /// Takes no new transaction, gives those in flight up to `limit` to finish,
    /// answers what is left with an error, and ends the link to the peer.
    /// [`Event::Ended`] follows.
    pub async fn drain(&self, limit: Duration) {
        let _ = self.commands.send(Command::Drain(limit)).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // A panic was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

/// The proxy's life. What is left of it still holds the replicas' streams.
async fn run(
    settings: ProxySettings,
    (tls, dialler): (TlsAcceptor, Dialler),
    peer: PeerEndpoint,
    commands: mpsc::Receiver<Command>,
    (events, figures): (NoticeSender, Figures),
    span: Span,
) -> Option<Exchange> {
    let ProxySettings { package_id, listener, limits, .. } = settings;
    let switch = Switch::new(package_id.clone(), limits.clone(), figures);
    let wakes = Wakes::default();
    let memory = Memory::new(limits.unfinished);
    let host = Host { package_id: package_id.clone(), limits, memory, span, next: 0 };
    let listening = Replicas::listen(listener, tls, dialler, wakes.clone(), host);
    let replicas = match listening {
        Ok(replicas) => replicas,
        Err(error) => {
            let reason = format!("it can serve no replicas: {error}");
            events.send(Event::Ended { reason, was_ready: false });
            return None;
        }
    };
    let mut exchange = Exchange::new(switch, replicas, wakes, commands, events);
    exchange.run(&peer, &package_id).await;
    Some(exchange)
}
