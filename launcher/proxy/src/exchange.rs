//! The task that is a proxy: the switch with all that it is connected to.
//!
//! It polls the peer's connection and the replicas' connections itself, so that a
//! message is read, routed and written in one turn of the runtime.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::alarm::Alarm;
use crate::dialler::Target;
use crate::event::Event;
use crate::figures::Figures;
use crate::identity::{Credential, ReplicaPlace};
use crate::notices::NoticeSender;
use crate::on_demand::OnDemand;
use crate::pace::{Pace, give_way};
use crate::peer_endpoint::PeerEndpoint;
use crate::peer_link::PeerLink;
use crate::precedence::Precedence;
use crate::replica::Place;
use crate::replicas::Replicas;
use crate::switch::Switch;
use crate::transport;
use crate::wakes::{Source, Wakes};

/// How often everything is polled before other tasks, and the kernel, have their turn.
const ROUNDS: usize = 32;

/// How long the peer may take to close a stream that the proxy has closed.
const CLOSING: Duration = Duration::from_secs(1);

/// How long it may take until the peer may be told of ends that the proxy brought about: as long as
/// it takes the peer to answer what it was asked.
const ENDING: Duration = Duration::from_millis(300);

/// How long the peer gets to pass on the transactions that a launch was for.
const REFUSAL: Duration = Duration::from_millis(300);

/// What the proxy's owner wants of it.
pub(crate) enum Command {
    /// Why no replica with this credential will come soon.
    Trouble(Credential, String),
    /// Replicas with this credential get nothing new, and this time for what they have.
    Retire(Credential, Duration),
    /// Replicas in this place get nothing new that another one can have, and this time for what they
    /// have.
    Release(Place, Duration),
    /// Who was released there is gone.
    Vacate(Place),
    /// Replicas are there on demand, or not.
    OnDemand(Option<OnDemand>),
    /// Whether transactions that begin from now on are run again when their replica ends.
    Replay(bool),
    /// Replicas listen there.
    Dial(Target),
    /// No replica is there any more.
    Undial(SocketAddr),
    /// Why there will be no replica: tell those who call, and come to an end.
    Refuse(String),
    /// Come to an end within this time.
    Drain(Duration),
}

/// How far it is on the way to its end.
#[derive(Clone, Copy)]
enum Draining {
    No,
    /// What is in flight may come to its end until then.
    Finishing(Instant),
    /// It was ended, and until then the peer is told so.
    Ending(Instant),
}

impl Draining {
    fn until(self) -> Option<Instant> {
        match self {
            Self::No => None,
            Self::Finishing(until) | Self::Ending(until) => Some(until),
        }
    }
}

/// The proxy's life.
pub(crate) struct Exchange {
    switch: Switch,
    replicas: Replicas,
    wakes: Wakes,
    commands: mpsc::Receiver<Command>,
    events: NoticeSender,
    figures: Figures,
    /// Commands and the alarm.
    desk: Source,
    alarm: Alarm,
    draining: Draining,
    /// Only there to say why there is no replica.
    refuses: bool,
    refuse_until: Option<Instant>,
    pace: Pace,
    precedence: Precedence,
}

impl Exchange {
    pub(crate) fn new(
        switch: Switch,
        replicas: Replicas,
        wakes: Wakes,
        commands: mpsc::Receiver<Command>,
        events: NoticeSender,
    ) -> Self {
        let figures = switch.figures().clone();
        let desk = wakes.source();
        Self {
            switch,
            replicas,
            wakes,
            commands,
            events,
            figures,
            desk,
            alarm: Alarm::default(),
            draining: Draining::No,
            refuses: false,
            refuse_until: None,
            pace: Pace::new(Instant::now()),
            precedence: Precedence::default(),
        }
    }

    /// Ends when the link to the peer does, or when drained.
    pub(crate) async fn run(&mut self, peer: &PeerEndpoint, package_id: &str) {
        let mut was_ready = false;
        let reason = match Box::pin(self.until_linked(peer, package_id)).await {
            Ok(mut link) => {
                was_ready = true;
                let reason = self.serve(&mut link).await;
                // However it ended: nobody is left waiting for its execute timeout.
                self.switch.answer_all(GOING);
                let closing = poll_fn(|cx| link.poll_close(cx, &mut self.switch));
                let _ = timeout(CLOSING, closing).await;
                reason
            }
            Err(reason) => reason,
        };
        self.publish();
        self.events.send(Event::Ended { reason, was_ready });
    }

    /// Connects to the peer, waits for the first replica, and registers then.
    async fn until_linked(
        &mut self,
        peer: &PeerEndpoint,
        package_id: &str,
    ) -> Result<PeerLink, String> {
        // Overlaps with the chaincode's own start.
        let connecting = Box::pin(peer.connect());
        let connected = self.meanwhile(connecting).await?;
        let mut connection = connected.map_err(|error| transport::chain(&error))?;
        let first_replica = poll_fn(|cx| {
            if let Some(reason) = connection.http.poll(cx) {
                return Poll::Ready(Err(transport::chain(&peer.lost(reason.to_owned()))));
            }
            self.poll_unlinked(cx)?;
            if self.switch.start_registration() { Poll::Ready(Ok(())) } else { Poll::Pending }
        });
        first_replica.await?;
        let registering = Box::pin(peer.register(connection, package_id));
        let registered = self.meanwhile(registering).await?;
        let (link, ready) = registered.map_err(|error| transport::chain(&error))?;
        self.switch.peer_is_ready(ready);
        Ok(link)
    }

    /// Serves the replicas while something else is done; an error when it is to stop.
    async fn meanwhile<T>(&mut self, doing: impl Future<Output = T>) -> Result<T, String> {
        let mut doing = pin!(doing);
        poll_fn(|cx| {
            // First, as a replica may use up what the runtime lets the task read in one turn.
            if let Poll::Ready(done) = doing.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            self.poll_unlinked(cx)?;
            Poll::Pending
        })
        .await
    }

    /// What goes on before there is a link; an error when it is to stop.
    fn poll_unlinked(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        let round = |exchange: &mut Self| {
            if exchange.desk.take() && exchange.is_to_stop() {
                return Some(STOPPED.to_owned());
            }
            exchange.replicas.poll(&mut exchange.switch);
            exchange.publish();
            None
        };
        match self.in_rounds(cx, round) {
            Poll::Ready(reason) => Err(reason),
            Poll::Pending => Ok(()),
        }
    }

    /// Whether the owner has no use for a link any more.
    fn is_to_stop(&mut self) -> bool {
        let waker = self.desk.waker().clone();
        let cx = &mut Context::from_waker(&waker);
        loop {
            match self.commands.poll_recv(cx) {
                // Trouble concerns the launch, which its owner follows itself.
                Poll::Ready(Some(Command::Trouble(..))) => {}
                Poll::Ready(Some(Command::Retire(credential, limit))) => {
                    self.retire(credential, limit);
                }
                Poll::Ready(Some(Command::Release(place, limit))) => {
                    self.switch.release(place, limit);
                }
                Poll::Ready(Some(Command::Vacate(place))) => self.switch.vacate(place),
                Poll::Ready(Some(Command::OnDemand(on_demand))) => {
                    self.switch.set_on_demand(on_demand);
                }
                Poll::Ready(Some(Command::Replay(is_wanted))) => self.switch.set_replay(is_wanted),
                Poll::Ready(Some(Command::Dial(target))) => self.dial(target),
                Poll::Ready(Some(Command::Undial(address))) => self.replicas.undial(address),
                Poll::Ready(Some(Command::Refuse(reason))) => self.refuse(reason),
                Poll::Ready(Some(Command::Drain(_)) | None) => return true,
                Poll::Pending => return false,
            }
        }
    }

    /// Passes messages in both directions; the reason why it ended.
    async fn serve(&mut self, link: &mut PeerLink) -> String {
        let source = self.wakes.source();
        self.refuse_until = self.refuses.then(|| Instant::now() + REFUSAL);
        loop {
            match poll_fn(|cx| self.poll_link(link, &source, cx)).await {
                ControlFlow::Continue(()) => give_way().await,
                ControlFlow::Break(reason) => return reason,
            }
        }
    }

    /// Passes what there is; ready if it is to stay awake for more.
    fn poll_link(
        &mut self,
        link: &mut PeerLink,
        source: &Source,
        cx: &mut Context<'_>,
    ) -> Poll<ControlFlow<String>> {
        if let Poll::Ready(reason) = self.in_rounds(cx, |exchange| exchange.round(link, source)) {
            return Poll::Ready(ControlFlow::Break(reason));
        }
        let (passed, in_flight) = (self.switch.passed(), self.switch.in_flight());
        let stays_awake = self.pace.stays_awake(Instant::now(), passed, in_flight);
        self.precedence.let_others_finish(self.pace.is_crowd());
        if stays_awake { Poll::Ready(ControlFlow::Continue(())) } else { Poll::Pending }
    }

    /// Polls until nothing is left to do, or others must have their turn.
    fn in_rounds<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut round: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        self.wakes.register(cx.waker());
        self.replicas.begin_turn();
        for _ in 0..ROUNDS {
            self.wakes.begin();
            if let Some(end) = round(self) {
                return Poll::Ready(end);
            }
            if self.wakes.rest() {
                return Poll::Pending;
            }
        }
        // Wakes it at once, but not before the runtime has asked the kernel for news: it polls a
        // task that wakes itself some sixty times in between.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
        Poll::Pending
    }

    /// Polls once what was woken; the reason why it ended, if it has.
    fn round(&mut self, link: &mut PeerLink, source: &Source) -> Option<String> {
        if self.desk.take()
            && let Some(reason) = self.attend_desk(link)
        {
            return Some(reason);
        }
        let is_due = self.switch.has_for_peer() && !link.is_held_up();
        if source.take() || is_due {
            let end = link.poll(source, &mut self.switch);
            if end.is_some() {
                return end;
            }
        }
        self.replicas.poll(&mut self.switch);
        if self.switch.has_for_peer() && !link.is_held_up() {
            source.waker().wake_by_ref();
        }
        self.publish();
        if self.draining.until().is_some() && self.switch.in_flight() == 0 {
            return Some(STOPPED.to_owned());
        }
        let own = [self.switch.next_expiry(), self.draining.until(), self.refuse_until];
        let deadlines = own.into_iter().chain([Some(link.deadline())]);
        self.alarm.set(deadlines.flatten().min(), self.desk.waker());
        None
    }

    /// Does what the owner wants, and what is due.
    fn attend_desk(&mut self, link: &mut PeerLink) -> Option<String> {
        let waker = self.desk.waker().clone();
        let cx = &mut Context::from_waker(&waker);
        while let Poll::Ready(command) = self.commands.poll_recv(cx) {
            match command {
                Some(Command::Trouble(credential, reason)) => {
                    self.switch.set_trouble(credential, reason);
                }
                Some(Command::Retire(credential, limit)) => self.retire(credential, limit),
                Some(Command::Release(place, limit)) => self.switch.release(place, limit),
                Some(Command::Vacate(place)) => self.switch.vacate(place),
                Some(Command::OnDemand(on_demand)) => self.switch.set_on_demand(on_demand),
                Some(Command::Replay(is_wanted)) => self.switch.set_replay(is_wanted),
                Some(Command::Dial(target)) => self.dial(target),
                Some(Command::Undial(address)) => self.replicas.undial(address),
                Some(Command::Refuse(reason)) => {
                    self.refuse(reason);
                    self.refuse_until = Some(Instant::now() + REFUSAL);
                }
                Some(Command::Drain(limit)) => {
                    self.switch.close(GOING);
                    self.draining = Draining::Finishing(Instant::now() + limit);
                }
                None => return Some("it was abandoned".to_owned()),
            }
        }
        let now = self.alarm.rung(&waker)?;
        self.switch.expire(now);
        if self.refuse_until.is_some_and(|until| until <= now) {
            return Some(STOPPED.to_owned());
        }
        match self.draining {
            Draining::Finishing(until) if until <= now => {
                self.switch.interrupt(GOING);
                self.draining = Draining::Ending(now + ENDING);
            }
            Draining::Ending(until) if until <= now => return Some(STOPPED.to_owned()),
            _ => {}
        }
        link.tick(now)
    }

    fn retire(&mut self, credential: Credential, limit: Duration) {
        self.replicas.undial_all(credential);
        self.switch.retire(credential, limit);
    }

    fn dial(&mut self, target: Target) {
        // Who is to go is not fetched any more.
        if !self.switch.is_retired(target.credential) {
            self.replicas.dial(target);
        }
    }

    /// From now on it is only there to answer with the reason.
    fn refuse(&mut self, reason: String) {
        self.refuses = true;
        self.switch.close(reason);
    }

    fn publish(&mut self) {
        self.figures.set_in_flight(self.switch.load());
        while let Some(event) = self.switch.take_event() {
            if let Event::ReplicaReleased {
                place: ReplicaPlace { address: Some(address), .. },
                ..
            } = event
            {
                // One that listens would be taken up again before it has ended.
                self.replicas.undial(address);
            }
            self.events.send(event);
        }
    }
}

/// What is told to those whose transactions its end meets.
const GOING: &str = "the chaincode is being stopped";

/// A proxy that ended since its owner wanted it to.
const STOPPED: &str = "it was asked to stop";
