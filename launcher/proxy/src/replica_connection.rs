//! One connection of a replica: HTTP/2, and the streams on it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Span, debug};

use crate::identity::{Identity, Origin, ReplicaPlace};
use crate::keepalive::{Keepalive, Sign};
use crate::limits::Limits;
use crate::memory::Memory;
use crate::replica::{Place, ReplicaId, ReplicaLink};
use crate::replica_http::{Connected, Directions, ReplicaHttp};
use crate::replica_stream::{ReplicaStream, Turn};
use crate::stream::Inbound;
use crate::switch::Switch;
use crate::tether::{Fate, Unregistered};
use crate::wakes::Source;

/// A replica that nothing was heard of for this long is sent a ping.
const IDLE: Duration = Duration::from_secs(2);

/// A replica that does not answer a ping for this long gets no transaction that another one can have.
const SUSPICION: Duration = Duration::from_secs(2);

/// A replica that does not answer a ping for this long is taken for dead: it hangs, or its node
/// is gone without a word. No less: chaincode that has but one thread, as that of Node, answers
/// nothing while it computes. Its transactions are run again, or answered, before the peer gives
/// them up (`chaincode.executetimeout`, 30 s).
const PATIENCE: Duration = Duration::from_secs(10);

/// What the connections share.
pub(crate) struct Host {
    pub(crate) package_id: String,
    pub(crate) limits: Limits,
    /// What keeps their long messages until they are there as a whole.
    pub(crate) memory: Memory,
    /// What log lines are told in. Not the whole task's: to enter it takes as long as to route
    /// a message.
    pub(crate) span: Span,
    /// The number of the next replica.
    pub(crate) next: ReplicaId,
}

/// A replica's connection.
pub(crate) struct ReplicaConnection {
    http: ReplicaHttp,
    address: Option<SocketAddr>,
    identity: Identity,
    keepalive: Keepalive,
    streams: Vec<ReplicaStream>,
    /// Until when a first stream, or another one, is awaited.
    idle_until: Option<Instant>,
    source: Source,
    /// Why HTTP/2 has ended, until what came before was read.
    lost: Option<String>,
    /// Its windows are those of a replica that has registered.
    is_wide: bool,
    is_over: bool,
}

impl ReplicaConnection {
    pub(crate) fn new(connected: Connected, source: Source) -> Self {
        let Connected { http, address, identity } = connected;
        let keepalive = Keepalive::new(IDLE, SUSPICION, PATIENCE);
        Self {
            http,
            address,
            identity,
            keepalive,
            streams: Vec::new(),
            idle_until: None,
            source,
            lost: None,
            is_wide: false,
            is_over: false,
        }
    }

    /// What wakes it.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Whether it can be dropped.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Reads and writes all that can be without waiting.
    pub(crate) fn poll(&mut self, host: &mut Host, switch: &mut Switch) -> Turn {
        let waker = self.source.waker().clone();
        let cx = &mut Context::from_waker(&waker);
        for stream in &mut self.streams {
            stream.write(switch);
        }
        // To write is to wake the connection, whose turn it is anyway.
        self.source.take();
        if self.lost.is_none() {
            self.lost = self.poll_http(cx, host);
        }
        let mut turn = Turn::Empty;
        for stream in &mut self.streams {
            let its_turn = stream.read(switch, &host.limits);
            if its_turn != Turn::Empty {
                turn = its_turn;
            }
            if stream.take_heard() {
                self.keepalive.heard();
            }
            // An answer of the switch's own, or the room that came with what was read.
            stream.write(switch);
        }
        self.widen();
        self.tell_unregistered(switch);
        let before = self.streams.len();
        self.streams.retain(|stream| !stream.is_finished());
        if self.streams.is_empty() {
            if before > 0 {
                // No shim opens a second one, and who waits for the connection's end is to see it.
                self.http.close();
            }
            self.idle_until.get_or_insert_with(|| Instant::now() + host.limits.first_message);
        } else {
            self.idle_until = None;
        }
        // Not before all that has come was read. For what has no memory yet nobody waits.
        if matches!(turn, Turn::Empty | Turn::Starved(_))
            && let Some(reason) = self.lost.take()
        {
            self.lose(&reason, switch);
        }
        turn
    }

    /// Drives HTTP/2 and takes new streams; why the connection has ended, if it has.
    fn poll_http(&mut self, cx: &mut Context<'_>, host: &mut Host) -> Option<String> {
        loop {
            match self.http.poll(cx) {
                Poll::Ready(Ok(stream)) => self.take_up(stream, host),
                Poll::Ready(Err(reason)) => return Some(reason),
                Poll::Pending => return None,
            }
        }
    }

    fn take_up(&mut self, (body, outbound): Directions, host: &mut Host) {
        let replica = host.next;
        host.next += 1;
        host.span.in_scope(|| {
            debug!(replica, address = ?self.address, "replica connected");
        });
        let limits = &host.limits;
        let inbound = Inbound::within(body, limits.message, host.memory.clone());
        let seat = ReplicaPlace { address: self.address, seat: self.identity.seat };
        let waker = self.source.waker().clone();
        let link = ReplicaLink { place: self.place(), seat, waker };
        self.streams.push(ReplicaStream::new(replica, link, inbound, outbound, limits));
        // Its queue is not looked at yet.
        self.source.waker().wake_by_ref();
    }

    /// Where it is, and whose; one place for all of whom that is not known.
    fn place(&self) -> Place {
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let address = self.address.map_or(unknown, |address| address.ip());
        let Identity { credential, seat } = self.identity;
        Place { origin: Origin { address, seat }.canonical(), credential }
    }

    /// Lets a replica that has registered send more at once than one of whom nothing is known.
    fn widen(&mut self) {
        if !self.is_wide && self.streams.iter().any(ReplicaStream::is_registered) {
            self.is_wide = self.http.widen();
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn deadline(&self, limits: &Limits) -> Instant {
        let streams = self.streams.iter().filter_map(|stream| stream.deadline(limits));
        let deadlines = streams.chain(self.idle_until);
        deadlines.chain([self.keepalive.next()]).min().expect("there is one at least")
    }

    /// Gives up on what is overdue.
    pub(crate) fn tick(&mut self, now: Instant, host: &Host, switch: &mut Switch) {
        for stream in &mut self.streams {
            stream.tick(now, switch, &host.limits);
        }
        self.tell_unregistered(switch);
        match self.keepalive.tick(now, &mut self.http) {
            None => {}
            Some(Sign::Silent) => self.streams.iter().for_each(|it| switch.replica_silent(it.id())),
            Some(Sign::Heard) => self.streams.iter().for_each(|it| switch.replica_heard(it.id())),
            Some(Sign::Dead(silence)) => {
                let reason = format!("it did not answer a ping for {} s", silence.as_secs());
                self.streams.iter_mut().for_each(|it| it.hangs(&reason, switch));
                self.lose(&reason, switch);
            }
        }
        // Nobody is there to be told.
        self.is_over |= self.idle_until.is_some_and(|until| until <= now);
        // A ping or a last word may be there to be written.
        self.source.waker().wake_by_ref();
    }

    fn lose(&mut self, reason: &str, switch: &mut Switch) {
        for stream in &mut self.streams {
            stream.is_lost(reason, switch);
        }
        self.tell_unregistered(switch);
        self.is_over = true;
    }

    /// Says of which streams no first message will come: to who dials the replica again, or to all.
    fn tell_unregistered(&mut self, switch: &mut Switch) {
        let place = self.place();
        for stream in &mut self.streams {
            let Some(unregistered) = stream.take_unregistered() else { continue };
            if let Some(tether) = self.http.tether() {
                tether.tell(Fate::Unregistered(unregistered));
                continue;
            }
            let (Unregistered::Ended(reason) | Unregistered::Failed(reason)) = unregistered;
            switch.replica_never_registered(stream.id(), place, reason);
        }
    }
}
