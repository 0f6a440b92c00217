//! One chaincode's proxy: a thread with the stream to the peer and the replicas' streams.
//!
//! A thread each, with a runtime that does not leave it: a message crosses no
//! thread on its way, and a replica that floods its proxy slows no other chaincode.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;
use tonic::{Status, Streaming};
use tracing::{Instrument, info_span};

use crate::credentials::{PeerAddress, PeerCredentials, ReplicaAuthority};
use crate::event::Event;
use crate::frame::Frame;
use crate::limits::Limits;
use crate::peer_link::{PeerEndpoint, PeerLink};
use crate::pongs::Traffic;
use crate::replica_server::{self, ReplicaInput};
use crate::switch::{ReplicaId, Switch};
use crate::transport;

/// Messages between the replicas' tasks and the switch: small, since a full one
/// only makes the senders wait.
const INPUTS: usize = 256;

/// How many inputs the switch takes at once before what they caused is sent.
const BATCH: usize = 64;

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
    events: mpsc::UnboundedReceiver<Event>,
    /// Its end ends the thread.
    alive: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Trouble(String),
    Drain(Duration),
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
        )
        .map_err(|error| ProxyError::Credentials(error.into()))?;
        let tls = replica_server::tls(&settings.authority)
            .map_err(|error| ProxyError::Authority(error.into()))?;
        let (commands, command_queue) = mpsc::channel(4);
        // Bounded by what causes events: connections, of which there are few.
        let (event_queue, events) = mpsc::unbounded_channel();
        let (alive, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ProxyError::Thread)?;
        let span = info_span!("proxy", package_id = settings.package_id);
        let thread = std::thread::Builder::new()
            .name("shim-proxy".into())
            .spawn(move || {
                let link = run(settings, tls, peer, command_queue, event_queue).instrument(span);
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
        Ok(Self { address, commands, events, alive: Some(alive), thread: Some(thread) })
    }

    /// Where replicas connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next event; `None` after [`Event::Ended`].
    pub async fn next_event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Says why no replica will come soon: transactions that wait for one are
    /// answered with it, and new ones too, until a replica registers.
    pub async fn set_trouble(&self, reason: String) {
        // A proxy that has ended has nothing waiting.
        let _ = self.commands.send(Command::Trouble(reason)).await;
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

/// The proxy's life: ends when the link to the peer does, or when drained. What is
/// left of it still holds the replicas' streams.
async fn run(
    settings: ProxySettings,
    tls: TlsAcceptor,
    peer: PeerEndpoint,
    commands: mpsc::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
) -> Exchange {
    let (inputs, replica_inputs) = mpsc::channel(INPUTS);
    let mut tasks = JoinSet::new();
    let ProxySettings { package_id, listener, limits, .. } = settings;
    let switch = Switch::new(package_id.clone(), limits.clone());
    let traffic = Traffic::default();
    tasks.spawn({
        let (package_id, traffic) = (package_id.clone(), traffic.clone());
        async move {
            let serving =
                replica_server::serve(listener, tls, traffic, &package_id, limits, inputs);
            if let Err(error) = serving.await {
                tracing::error!(%error, "cannot serve replicas");
            }
        }
        .in_current_span()
    });
    let mut exchange = Exchange { switch, traffic, events, was_ready: false };
    exchange.run(peer, package_id, commands, replica_inputs).await;
    exchange
}

/// The switch with what it is connected to.
struct Exchange {
    switch: Switch,
    traffic: Traffic,
    events: mpsc::UnboundedSender<Event>,
    was_ready: bool,
}

impl Exchange {
    async fn run(
        &mut self,
        peer: PeerEndpoint,
        package_id: String,
        mut commands: mpsc::Receiver<Command>,
        mut replicas: mpsc::Receiver<(ReplicaId, ReplicaInput)>,
    ) {
        let link = tokio::select! {
            link = self.until_linked(&peer, &package_id, &mut replicas) => link,
            () = until_drain(&mut commands) => Err("it was asked to stop".to_owned()),
        };
        let reason = match link {
            Ok(link) => self.exchange(link, &mut commands, &mut replicas).await,
            Err(reason) => reason,
        };
        self.publish();
        let _ = self.events.send(Event::Ended { reason, was_ready: self.was_ready });
    }

    /// Waits for the first replica, and registers with the peer then.
    async fn until_linked(
        &mut self,
        peer: &PeerEndpoint,
        package_id: &str,
        replicas: &mut mpsc::Receiver<(ReplicaId, ReplicaInput)>,
    ) -> Result<PeerLink, String> {
        let traffic = self.traffic.clone();
        // Overlaps with the chaincode's own start.
        let mut connection = std::pin::pin!(peer.connect(&traffic));
        let mut channel = None;
        loop {
            tokio::select! {
                connected = &mut connection, if channel.is_none() => {
                    channel = Some(connected.map_err(|error| transport::chain(&error))?);
                }
                input = replicas.recv() => {
                    let (id, input) = input.ok_or("it can serve no replicas")?;
                    self.take_replica_input(id, input);
                    self.publish();
                }
            }
            if let Some(channel) = channel.take_if(|_| self.switch.start_registration()) {
                return peer
                    .register(channel, package_id)
                    .await
                    .map_err(|error| transport::chain(&error));
            }
        }
    }

    /// Passes messages in both directions; the reason why it ended.
    async fn exchange(
        &mut self,
        link: PeerLink,
        commands: &mut mpsc::Receiver<Command>,
        replicas: &mut mpsc::Receiver<(ReplicaId, ReplicaInput)>,
    ) -> String {
        let PeerLink { outbound, mut inbound, ready } = link;
        self.was_ready = true;
        self.switch.peer_is_ready(ready);
        let mut drain_until: Option<Instant> = None;
        let mut frames = Vec::with_capacity(BATCH);
        let mut inputs = Vec::with_capacity(BATCH);
        let reason = 'link: loop {
            self.publish();
            self.traffic.set(self.switch.in_flight());
            while let Some(frame) = self.switch.take_for_peer() {
                if outbound.send(frame).await.is_err() {
                    break 'link "the peer closed the stream".to_owned();
                }
            }
            if drain_until.is_some() && self.switch.in_flight() == 0 {
                break "it was asked to stop".to_owned();
            }
            let deadline = [self.switch.next_expiry(), drain_until].into_iter().flatten().min();
            tokio::select! {
                end = read_peer(&mut inbound, &mut frames) => {
                    for frame in frames.drain(..) {
                        self.switch.peer_says(frame);
                    }
                    if let Some(reason) = end {
                        break reason;
                    }
                }
                count = replicas.recv_many(&mut inputs, BATCH) => {
                    if count == 0 {
                        break "it can serve no replicas".to_owned();
                    }
                    for (id, input) in inputs.drain(..) {
                        self.take_replica_input(id, input);
                    }
                }
                command = commands.recv() => match command {
                    Some(Command::Trouble(reason)) => self.switch.set_trouble(reason),
                    Some(Command::Drain(limit)) => {
                        self.switch.drain();
                        drain_until = Some(Instant::now() + limit);
                    }
                    None => break "it was abandoned".to_owned(),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.switch.expire(Instant::now());
                    if drain_until.is_some_and(|until| until <= Instant::now()) {
                        self.switch.answer_all("the chaincode is being stopped");
                    }
                }
            }
        };
        // The queue's end closes the stream once what is in it was sent; the
        // peer answers that with its own end.
        drop(outbound);
        let its_end = async { while let Ok(Some(_)) = inbound.message().await {} };
        let _ = timeout(Duration::from_secs(1), its_end).await;
        reason
    }

    fn take_replica_input(&mut self, id: ReplicaId, input: ReplicaInput) {
        match input {
            ReplicaInput::NeverRegisters(reason) => {
                self.switch.replica_never_registered(id, reason);
            }
            ReplicaInput::Says(frame) => self.switch.replica_says(id, frame),
            ReplicaInput::Registers(link, first) => self.switch.replica_registers(id, link, &first),
            ReplicaInput::Gone(reason) => self.switch.replica_gone(id, &reason),
        }
    }

    fn publish(&mut self) {
        while let Some(event) = self.switch.take_event() {
            let _ = self.events.send(event);
        }
    }
}

async fn until_drain(commands: &mut mpsc::Receiver<Command>) {
    // Trouble before the link is there concerns the launch, which its owner follows itself.
    while let Some(Command::Trouble(_)) = commands.recv().await {}
}

/// Waits for messages of the peer and takes what has come, up to a batch; why the
/// stream has ended, if it has. Loses nothing when it is dropped.
async fn read_peer(inbound: &mut Streaming<Frame>, frames: &mut Vec<Frame>) -> Option<String> {
    poll_fn(|cx| {
        while frames.len() < BATCH {
            match Pin::new(&mut *inbound).poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => frames.push(frame),
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Some(ended(&status))),
                Poll::Ready(None) => {
                    return Poll::Ready(Some("the peer ended the stream".to_owned()));
                }
                Poll::Pending if frames.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(None)
    })
    .await
}

fn ended(status: &Status) -> String {
    format!("the stream to the peer broke: {}", transport::describe(status))
}
