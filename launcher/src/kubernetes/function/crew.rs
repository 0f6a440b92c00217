//! What is done about a function's pods: who is dialled, ordered, and told of.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use selvedge_config::{Chaincode, Function, Keep};
use selvedge_keeper::line::Stand;
use selvedge_keeper::report::End as ProcessEnd;
use selvedge_manifest::{KEEPER_PORT, pods_at_rest};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::keeper_line::{Heard, KeeperLine, Order};
use super::word::{PodUid, Word};
use crate::backend::{Meeting, ReplicaEvent, ReplicaExit};
use crate::kubernetes::followed_logs::LastEnds;
use crate::seats::{Deed, End, Failing, Failure, Found, Patience, Seats};

/// Words of keepers that wait to be heard.
const WORDS: usize = 64;

/// How long it may take until a pod's log tells how a process has ended.
const TOLD: Duration = Duration::from_millis(300);

/// Of so many addresses from which processes came that have no pod it is remembered who they were.
const STRANGERS: usize = 128;

/// What the pods are there for.
pub(super) struct Job {
    function: Function,
    /// How many there are before anybody has called.
    pub(super) pods_at_rest: u16,
    /// Where the chaincode listens, if it does.
    port: Option<u16>,
    patience: Patience,
}

impl Job {
    /// That of chaincode which runs by these settings, if that is a function.
    pub(super) fn of(settings: &Chaincode, port: Option<u16>) -> Option<Self> {
        settings.function().map(|function| Self {
            function,
            pods_at_rest: pods_at_rest(settings),
            port,
            patience: Patience {
                start: settings.timeouts.start.duration(),
                call: function.wait.duration(),
            },
        })
    }
}

/// The pods, and what is wanted of them.
pub(super) struct Crew {
    job: Job,
    seats: Seats,
    /// The pod of each seat.
    pods: Vec<Option<SeatedPod>>,
    /// From where processes have come that have no seat, and with how many streams each is there: their
    /// pods are not seen yet, or no more.
    strangers: BTreeMap<IpAddr, u32>,
    heard: mpsc::Receiver<(PodUid, Heard)>,
    sink: mpsc::Sender<(PodUid, Heard)>,
    events: mpsc::Sender<ReplicaEvent>,
    /// How processes ended, by the pods' logs.
    ends: watch::Receiver<LastEnds>,
    /// Failures that a pod's log has to tell more of until then.
    untold: Vec<(Failure, PodUid, Instant)>,
    /// How many pods there are to be.
    size: watch::Sender<u16>,
}

struct SeatedPod {
    uid: PodUid,
    addresses: Vec<IpAddr>,
    line: KeeperLine,
    was_reached: bool,
    /// From where its process has registered last.
    registered: Option<IpAddr>,
    /// Where its process is dialled, if it is.
    dialled: Option<SocketAddr>,
}

impl Crew {
    pub(super) fn new(
        job: Job,
        events: mpsc::Sender<ReplicaEvent>,
        ends: watch::Receiver<LastEnds>,
        size: watch::Sender<u16>,
    ) -> Self {
        let (sink, heard) = mpsc::channel(WORDS);
        Self {
            seats: Seats::new(0, job.port.is_some(), job.patience),
            job,
            pods: Vec::new(),
            strangers: BTreeMap::new(),
            heard,
            sink,
            events,
            ends,
            untold: Vec::new(),
            size,
        }
    }

    /// Does what follows from the words, until there are none any more.
    pub(super) async fn serve(mut self, mut words: mpsc::UnboundedReceiver<Word>) {
        loop {
            for deed in self.seats.what_is_due(Instant::now()) {
                self.act(deed).await;
            }
            self.tell_failures().await;
            let moments = self.untold.iter().map(|(_, _, until)| *until);
            let moment = self.seats.next_moment(Instant::now()).into_iter().chain(moments).min();
            tokio::select! {
                word = words.recv() => match word {
                    Some(word) => self.heed(word).await,
                    None => return,
                },
                // It has an end of its own for the sink.
                Some((pod, heard)) = self.heard.recv() => self.hear(&pod, heard).await,
                Ok(()) = self.ends.changed(), if !self.untold.is_empty() => {}
                () = sleep_until(moment.unwrap_or_else(Instant::now)), if moment.is_some() => {}
            }
        }
    }

    async fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Start(seat) => {
                self.order(seat, Order::Start);
                self.dial(seat).await;
            }
            Deed::End(seat) => self.order(seat, Order::Stop),
            Deed::Failed(failure) => {
                let pod = self.pods[failure.seat].as_ref().map(|pod| pod.uid.clone());
                let until = Instant::now() + TOLD;
                self.untold.push((failure, pod.unwrap_or_default(), until));
            }
            Deed::Tell(event) => self.tell(event).await,
        }
    }

    fn order(&self, seat: usize, order: Order) {
        self.pods[seat].iter().for_each(|pod| pod.line.tell(order));
    }

    /// Tells of failures of which all is known, or will be no more.
    async fn tell_failures(&mut self) {
        for failure in self.known_failures() {
            self.seats.explain(failure.exit.to_string());
            for event in failure.events() {
                self.tell(event).await;
            }
        }
    }

    fn known_failures(&mut self) -> Vec<Failure> {
        let now = Instant::now();
        let ends = self.ends.borrow_and_update();
        for (failure, pod, _) in &mut self.untold {
            if let Some(logged) = ends.get(pod).filter(|end| end.at >= failure.since) {
                complete(failure, &logged.exit);
            }
        }
        let is_known = |(failure, _, until): &mut (Failure, _, Instant)| {
            !failure.exit.last_lines.is_empty() || *until <= now
        };
        self.untold.extract_if(.., is_known).map(|(failure, ..)| failure).collect()
    }

    async fn heed(&mut self, word: Word) {
        match word {
            Word::Want(processes) => {
                self.seats.want(processes);
                self.resize(processes);
            }
            Word::Met(address, meeting) => self.met(address, meeting),
            Word::Pods(there) => self.see(there).await,
            Word::Ended(pod, exit) => self.container_ended(&pod, exit).await,
            Word::Hindered(reason) => {
                self.seats.hinder(reason.clone());
                let Some(reason) = reason else { return };
                let is_alone = !self.seats.is_of_use();
                let line = format!("one of its pods cannot run: {reason}");
                let line = ReplicaEvent::Line(line);
                self.tell(if is_alone { ReplicaEvent::Trouble(reason) } else { line }).await;
            }
        }
    }

    /// As many pods as processes, where none stay. Which of them a Deployment takes away nobody can
    /// choose: as long as one is at work, all do.
    fn resize(&self, processes: usize) {
        let Function { keep: Keep::Nothing, max_replicas, .. } = self.job.function else { return };
        let most = max_replicas.get();
        let wanted = u16::try_from(processes).unwrap_or(most).min(most);
        self.size.send_if_modified(|size| {
            let before = std::mem::replace(size, if wanted == 0 { 0 } else { wanted.max(*size) });
            before != *size
        });
    }

    fn met(&mut self, address: IpAddr, meeting: Meeting) {
        let now = Instant::now();
        let is_its = |pod: &SeatedPod| pod.addresses.contains(&address);
        let seat = self.pods.iter_mut().position(|pod| pod.as_ref().is_some_and(is_its));
        if let Some(seat) = seat {
            match (meeting, &mut self.pods[seat]) {
                (Meeting::Joined, Some(pod)) => pod.registered = Some(address),
                (Meeting::Released, Some(pod)) => pod.line.tell(Order::LetGo),
                _ => {}
            }
            return self.seats.met(seat, meeting, now);
        }
        self.seats.met_elsewhere();
        if meeting == Meeting::Joined {
            if self.strangers.len() >= STRANGERS {
                self.strangers.retain(|_, streams| *streams > 0);
            }
            *self.strangers.entry(address).or_default() += 1;
        } else if let Some(streams) = self.strangers.get_mut(&address) {
            *streams = streams.saturating_sub(1);
        }
        self.count_strangers();
    }

    fn count_strangers(&mut self) {
        let number = self.strangers.values().filter(|streams| **streams > 0).count();
        self.seats.are_elsewhere(number);
    }

    /// These pods are there.
    async fn see(&mut self, mut there: BTreeMap<PodUid, Vec<IpAddr>>) {
        for seat in 0..self.pods.len() {
            let is_gone = |pod: &mut SeatedPod| there.remove(&pod.uid).is_none();
            let Some(pod) = self.pods[seat].take_if(is_gone) else { continue };
            if let (true, Some(address)) = (self.seats.vacate(seat), pod.registered) {
                // It may have transactions to finish.
                self.strangers.insert(address, 1);
            }
            if let Some(address) = pod.dialled {
                self.tell(ReplicaEvent::Silenced(address)).await;
            }
        }
        for (uid, addresses) in there {
            self.seat(uid, addresses).await;
        }
        self.count_strangers();
    }

    /// Gives a pod a seat.
    async fn seat(&mut self, uid: PodUid, addresses: Vec<IpAddr>) {
        let seat = self.pods.iter().position(Option::is_none).unwrap_or_else(|| {
            self.pods.push(None);
            self.seats.add()
        });
        let line = KeeperLine::dial(
            SocketAddr::new(addresses[0], KEEPER_PORT),
            uid.clone(),
            self.sink.clone(),
        );
        let registered = addresses.iter().copied().find(|one| self.strangers.contains_key(one));
        let streams = registered.and_then(|address| self.strangers.remove(&address));
        if let Some(streams @ 1..) = streams {
            self.seats.take_in(seat, streams, Instant::now());
        }
        let (was_reached, dialled) = (false, None);
        let pod = SeatedPod { uid, addresses, line, was_reached, registered, dialled };
        self.pods[seat] = Some(pod);
        if self.job.function.keep == Keep::Nothing {
            self.dial(seat).await;
        }
    }

    /// Has the process of a seat dialled that is started by now, if it listens.
    async fn dial(&mut self, seat: usize) {
        let Some((pod, port)) = self.pods[seat].as_mut().zip(self.job.port) else { return };
        let address = SocketAddr::new(pod.addresses[0], port);
        pod.dialled = Some(address);
        self.tell(ReplicaEvent::Listening(address)).await;
    }

    fn seat_of(&self, uid: &str) -> Option<usize> {
        self.pods.iter().position(|pod| pod.as_ref().is_some_and(|pod| pod.uid == uid))
    }

    async fn hear(&mut self, uid: &str, heard: Heard) {
        let Some(seat) = self.seat_of(uid) else { return };
        let Some(pod) = &mut self.pods[seat] else { return };
        let now = Instant::now();
        match heard {
            Heard::Nothing => self.seats.lose(seat),
            Heard::Reached(stand) => {
                let is_first = !std::mem::replace(&mut pod.was_reached, true);
                // In a pod that a call has made a process is started without an order.
                let is_called = is_first && self.job.function.keep == Keep::Nothing;
                let is_unheard_of = is_called && pod.registered.is_none();
                match stand {
                    Stand::Runs if is_called => self.seats.reach(seat, Found::Beginner, now),
                    Stand::Runs => self.seats.reach(seat, Found::Forgotten, now),
                    Stand::Ended(status) if is_unheard_of => {
                        self.seats.reach(seat, Found::Beginner, now);
                        self.seats.ended(seat, end(status), now);
                    }
                    Stand::Rests | Stand::Ended(_) => self.seats.reach(seat, Found::Nothing, now),
                }
            }
            Heard::Stands(Stand::Ended(status)) => {
                let dialled = pod.dialled.take();
                self.seats.ended(seat, end(status), now);
                if let Some(address) = dialled {
                    self.tell(ReplicaEvent::Silenced(address)).await;
                }
            }
            Heard::Stands(Stand::Rests | Stand::Runs) => {}
        }
    }

    /// The container of a pod has ended, its keeper with all that it kept.
    async fn container_ended(&mut self, uid: &str, exit: ReplicaExit) {
        match self.seat_of(uid).filter(|seat| self.seats.is_taken(*seat)) {
            Some(seat) => self.seats.ended(seat, End { exit, is_well: false }, Instant::now()),
            None => self.tell(ReplicaEvent::Exited(exit)).await,
        }
    }

    async fn tell(&self, event: ReplicaEvent) {
        // Nobody listens any more once the run is to end.
        let _ = self.events.send(event).await;
    }
}

/// That a process has ended with this status, of which the keeper says no more.
fn end(status: i32) -> End {
    const SIGNALLED: i32 = 128;
    let how = if status > SIGNALLED {
        ProcessEnd::Signalled(status - SIGNALLED)
    } else {
        ProcessEnd::Exited(status)
    };
    let exit = ReplicaExit { status: how.to_string(), last_lines: Vec::new() };
    End { exit, is_well: status == 0 }
}

/// What the pod's log tells, which is more than its keeper has said.
fn complete(failure: &mut Failure, logged: &ReplicaExit) {
    failure.exit.last_lines.clone_from(&logged.last_lines);
    if failure.how != Failing::TooSlow {
        failure.exit.status.clone_from(&logged.status);
    }
}

#[cfg(test)]
mod tests;
