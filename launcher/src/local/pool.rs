//! Processes that are there while they are called for: what a pool starts and ends of them.
//!
//! How many are wanted, the proxy says; which one has registered and which one it has let go, it
//! says, too: each of them has a seat, whose number is in its certificate. What follows from that is
//! `seats.rs`' matter; here it is done.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use selvedge_proto::launcher::LocalPlace;
use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proxy::ReplicaPlace;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, error};

use super::process::{Process, ProcessEnd};
use super::started::{Start, Started, end_gently, exit, name, present};
use crate::backend::{DISCONNECTED, Meeting, ReplicaEvent, ReplicaExit, Replicas};
use crate::error_chain::one_line;
use crate::roll::Roll;
use crate::seats::{Deed, End, Patience, Seats};

/// The processes of one function.
pub(super) struct Pool {
    events: mpsc::Receiver<ReplicaEvent>,
    /// What the proxy says: no more than there are events of it, which are bounded.
    words: mpsc::UnboundedSender<Word>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
    roll: Roll,
}

/// What the proxy says.
#[derive(Clone, Copy)]
enum Word {
    Want(usize),
    Met(ReplicaPlace, Meeting),
}

impl Pool {
    /// Opens a pool with these seats; nothing runs in it.
    pub(super) fn open(starts: Vec<Start>, patience: Patience) -> Self {
        let (sink, events) = mpsc::channel(256);
        let (words, heard) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let roll = Roll::default();
        let listens = starts.iter().any(|start| start.listens);
        let keeper = Keeper {
            seats: Seats::new(starts.len(), listens, patience),
            runs: starts.iter().map(|_| None).collect(),
            starts,
            running: JoinSet::new(),
            events: sink,
            roll: roll.clone(),
        };
        let task = tokio::spawn(keeper.keep(heard, stop.clone()).in_current_span());
        Self { events, words, stop, task: AbortOnDropHandle::new(task), roll }
    }
}

#[async_trait]
impl Replicas for Pool {
    fn place(&self) -> Place {
        Place::Local(LocalPlace {})
    }

    fn roll(&self) -> Roll {
        self.roll.clone()
    }

    async fn next_event(&mut self) -> Option<ReplicaEvent> {
        self.events.recv().await
    }

    /// The proxy says of each by itself that it is gone.
    fn replace_disconnected(&self, _: SystemTime) {}

    fn want(&self, processes: usize) {
        // A pool that has ended needs none.
        let _ = self.words.send(Word::Want(processes));
    }

    fn met(&self, place: ReplicaPlace, meeting: Meeting) {
        let _ = self.words.send(Word::Met(place, meeting));
    }

    async fn stop(self: Box<Self>) {
        let Self { events, stop, task, .. } = *self;
        stop.cancel();
        // What they still write is nobody's concern, but must not hold them up.
        drop(events);
        if let Err(error) = task.await {
            error!(%error, "the supervision of a function's processes failed");
        }
    }
}

/// Does what is to be done.
struct Keeper {
    seats: Seats,
    /// What starts the process of each seat.
    starts: Vec<Start>,
    /// What runs in each.
    runs: Vec<Option<Run>>,
    running: JoinSet<(usize, End)>,
    events: mpsc::Sender<ReplicaEvent>,
    roll: Roll,
}

/// A process that runs.
struct Run {
    listening: Option<SocketAddr>,
    /// Fires when it is to end.
    end: CancellationToken,
    /// What it still writes is of no concern: it was let go.
    is_let_go: Arc<AtomicBool>,
}

impl Keeper {
    async fn keep(mut self, mut heard: mpsc::UnboundedReceiver<Word>, stop: CancellationToken) {
        loop {
            for deed in self.seats.what_is_due(Instant::now()) {
                self.act(deed).await;
            }
            let moment = self.seats.next_moment(Instant::now());
            tokio::select! {
                Some(word) = heard.recv() => self.heed(word),
                Some(ended) = self.running.join_next() => match ended {
                    Ok((seat, end)) => self.ended(seat, end).await,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = sleep_until(moment.unwrap_or_else(Instant::now)), if moment.is_some() => {}
                () = stop.cancelled() => break,
            }
        }
        for run in self.runs.iter().flatten() {
            run.end.cancel();
        }
        while self.running.join_next().await.is_some() {}
    }

    fn heed(&mut self, word: Word) {
        match word {
            Word::Want(processes) => self.seats.want(processes),
            Word::Met(place, meeting) => {
                let Some(seat) = self.seat(place) else { return };
                if meeting == Meeting::Released
                    && let Some(run) = &self.runs[seat]
                {
                    run.is_let_go.store(true, Ordering::Relaxed);
                    self.roll.leaves(&name(seat));
                }
                self.seats.met(seat, meeting, Instant::now());
            }
        }
    }

    /// Whose place it is: one that dials shows its seat, one that listens is where it was told to.
    fn seat(&self, place: ReplicaPlace) -> Option<usize> {
        let by_number = place.seat.and_then(|seat| usize::try_from(seat).ok());
        let is_there = |run: &Option<Run>| {
            run.as_ref()
                .is_some_and(|run| run.listening.is_some() && run.listening == place.address)
        };
        let seat = by_number.or_else(|| self.runs.iter().position(is_there))?;
        (seat < self.runs.len()).then_some(seat)
    }

    async fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Start(seat) => self.start(seat).await,
            Deed::End(seat) => {
                if let Some(run) = &self.runs[seat] {
                    run.end.cancel();
                }
            }
            Deed::Failed(failure) => {
                for event in failure.events() {
                    self.tell(event).await;
                }
            }
            Deed::Tell(event) => self.tell(event).await,
        }
    }

    async fn tell(&self, event: ReplicaEvent) {
        // Nobody listens any more once it is to end.
        let _ = self.events.send(event).await;
    }

    async fn start(&mut self, seat: usize) {
        let started = match self.starts[seat].spawn() {
            Ok(started) => started,
            Err(error) => return self.seats.not_started(seat, one_line(&error), Instant::now()),
        };
        if let Some(address) = started.listening {
            let _ = self.events.send(ReplicaEvent::Listening(address)).await;
        }
        let (end, is_let_go) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let run = Run {
            listening: started.listening,
            end: end.clone(),
            is_let_go: Arc::clone(&is_let_go),
        };
        self.runs[seat] = Some(run);
        let name = name(seat);
        self.roll.enter(name.to_string(), present(seat, started.listening));
        let events = self.events.clone();
        let running =
            async move { (seat, run_to_end(started, &name, &end, &is_let_go, &events).await) };
        self.running.spawn(running.in_current_span());
    }

    async fn ended(&mut self, seat: usize, end: End) {
        self.roll.strike(&name(seat));
        if let Some(Run { listening: Some(address), .. }) = self.runs[seat].take() {
            let _ = self.events.send(ReplicaEvent::Silenced(address)).await;
        }
        self.seats.ended(seat, end, Instant::now());
    }
}

async fn run_to_end(
    Started { mut process, .. }: Started,
    name: &Arc<str>,
    end: &CancellationToken,
    is_let_go: &AtomicBool,
    events: &mpsc::Sender<ReplicaEvent>,
) -> End {
    tokio::select! {
        ended = follow(&mut process, name, is_let_go, events) => {
            let is_well = ended.as_ref().is_ok_and(|end| end.status.success());
            return End { exit: exit(ended), is_well };
        }
        () = end.cancelled() => {}
    }
    end_gently(process).await;
    let exit = ReplicaExit { status: DISCONNECTED.to_owned(), last_lines: Vec::new() };
    End { exit, is_well: false }
}

/// Tells what it writes, until it is let go: a shim has the end of its stream for an error, and says so.
async fn follow(
    process: &mut Process,
    name: &Arc<str>,
    is_let_go: &AtomicBool,
    events: &mpsc::Sender<ReplicaEvent>,
) -> io::Result<ProcessEnd> {
    while let Some(line) = process.next_line().await {
        if is_let_go.load(Ordering::Relaxed) {
            debug!(target: "chaincode", line);
        } else {
            let _ = events.send(ReplicaEvent::Wrote { replica: Arc::clone(name), line }).await;
        }
    }
    process.end().await
}
