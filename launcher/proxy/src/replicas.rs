//! All replicas of one chaincode: their connections, each polled when it has something.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::alarm::Alarm;
use crate::arrival::Arrival;
use crate::dialler::{Dialler, Target};
use crate::identity::Credential;
use crate::replica_connection::{Host, ReplicaConnection};
use crate::replica_listener::{self, Door};
use crate::replica_stream::Turn;
use crate::switch::Switch;
use crate::wakes::{Source, Wakes};

/// How many connections there may be beyond the replicas: new ones while old ones end. The next
/// ones wait; a connection is a file handle, of which a replica must not take those of others.
const SPARE: usize = 64;

/// The replicas, as one task polls them.
pub(crate) struct Replicas {
    host: Host,
    arrivals: mpsc::Receiver<Arrival>,
    /// Where those that are dialled arrive, too.
    arriving: mpsc::Sender<Arrival>,
    dialler: Arc<Dialler>,
    /// Who is dialled, until it is dropped.
    targets: HashMap<SocketAddr, (Target, AbortOnDropHandle<()>)>,
    connections: Vec<ReplicaConnection>,
    wakes: Wakes,
    /// New connections and the alarm.
    door: Source,
    alarm: Alarm,
    /// Which connection is polled first, counted on with each turn.
    first: usize,
    /// Some are not read, since the peer does not keep up.
    held_up: bool,
    /// Some are not read, since there is no memory for a message: the least that one waits for.
    starved: Option<usize>,
    /// Takes connections until it is dropped.
    _listener: AbortOnDropHandle<()>,
}

impl Replicas {
    /// Listens for replicas from now on; in a runtime.
    pub(crate) fn listen(
        listener: TcpListener,
        tls: TlsAcceptor,
        dialler: Dialler,
        wakes: Wakes,
        host: Host,
    ) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (arriving, arrivals) = mpsc::channel(1);
        let door = Door { tls, package_id: host.package_id.clone() };
        let accept = replica_listener::accept(listener, door, arriving.clone());
        let accept = tokio::spawn(accept.instrument(host.span.clone()));
        Ok(Self {
            host,
            arrivals,
            arriving,
            dialler: Arc::new(dialler),
            targets: HashMap::new(),
            connections: Vec::new(),
            door: wakes.source(),
            wakes,
            alarm: Alarm::default(),
            first: 0,
            held_up: false,
            starved: None,
            _listener: AbortOnDropHandle::new(accept),
        })
    }

    /// Dials a replica from now on; in a runtime.
    pub(crate) fn dial(&mut self, target: Target) {
        if self.targets.get(&target.address).is_some_and(|(known, _)| *known == target) {
            return;
        }
        let dialling = Arc::clone(&self.dialler).dial(target, self.arriving.clone());
        let task = tokio::spawn(dialling.instrument(self.host.span.clone()));
        self.targets.insert(target.address, (target, AbortOnDropHandle::new(task)));
    }

    /// Does not dial there any more. A connection that there is stays.
    pub(crate) fn undial(&mut self, address: SocketAddr) {
        self.targets.remove(&address);
    }

    /// Does not dial those with this credential any more.
    pub(crate) fn undial_all(&mut self, credential: Credential) {
        self.targets.retain(|_, (target, _)| target.credential != credential);
    }

    /// To be called when the runtime begins a turn: it lets a task read and write so often in one,
    /// which a single connection may use up. So another one comes first each time.
    pub(crate) fn begin_turn(&mut self) {
        self.first = if self.first + 1 < self.connections.len() { self.first + 1 } else { 0 };
    }

    /// Lets every replica that was woken speak and listen.
    pub(crate) fn poll(&mut self, switch: &mut Switch) {
        if self.door.take() {
            self.open_door(switch);
        }
        let is_free = self.starved.is_some_and(|bytes| bytes <= self.host.memory.free());
        if is_free || (self.held_up && !switch.is_peer_behind()) {
            (self.held_up, self.starved) = (false, None);
            for connection in &self.connections {
                connection.source().waker().wake_by_ref();
            }
        }
        let mut polled = false;
        let (last, first) = self.connections.split_at_mut(self.first);
        for connection in first.iter_mut().chain(last) {
            if connection.source().take() {
                polled = true;
                match connection.poll(&mut self.host, switch) {
                    Turn::Empty => {}
                    Turn::Used => connection.source().waker().wake_by_ref(),
                    Turn::HeldUp => self.held_up = true,
                    Turn::Starved(bytes) => {
                        self.starved = Some(self.starved.map_or(bytes, |least| least.min(bytes)));
                    }
                }
            }
        }
        if polled {
            let before = self.connections.len();
            self.connections.retain(|connection| !connection.is_over());
            if self.connections.len() < before {
                // Another one may be waiting for the place.
                self.door.waker().wake_by_ref();
            }
            self.first = self.first.min(self.connections.len());
            let limits = &self.host.limits;
            let deadlines = self.connections.iter().map(|connection| connection.deadline(limits));
            let deadline = deadlines.min();
            self.alarm.set(deadline, self.door.waker());
        }
    }

    fn open_door(&mut self, switch: &mut Switch) {
        let waker = self.door.waker().clone();
        if let Some(now) = self.alarm.rung(&waker) {
            for connection in &mut self.connections {
                connection.tick(now, &self.host, switch);
            }
        }
        let cx = &mut Context::from_waker(&waker);
        while self.connections.len() < self.host.limits.all_replicas().saturating_add(SPARE)
            && let Poll::Ready(Some(arrival)) = self.arrivals.poll_recv(cx)
        {
            match arrival {
                Arrival::Connected(connected) => {
                    let source = self.wakes.source();
                    self.connections.push(ReplicaConnection::new(connected, source));
                }
                Arrival::Failed { place, reason } => {
                    let replica = self.host.next;
                    self.host.next += 1;
                    switch.replica_never_registered(replica, place, reason);
                }
                Arrival::Unreached { address, credential, reason } => {
                    switch.replica_unreached(address, credential, reason);
                }
            }
        }
    }
}
