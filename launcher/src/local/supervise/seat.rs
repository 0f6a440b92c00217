//! One replica of several: its process, from start to start.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use selvedge_proxy::Origin;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::started::{Start, Started, end_gently, exit, follow, name, present};
use crate::backend::{DISCONNECTED, Meeting, ReplicaEvent, ReplicaExit};
use crate::deadline::AGES;
use crate::desertion::LINGER;
use crate::error_chain::one_line;
use crate::restarts::{RECOVERED, delay};
use crate::roll::Roll;

/// From this many ends in a row on, transactions do not wait for the next start.
const HOPELESS: u32 = 3;

/// How long one may take whose stream was ended since it is not wanted any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the proxy says of a replica.
pub(super) struct Word {
    /// By what it knows the process: its end of the connection.
    pub(super) connection: SocketAddr,
    pub(super) meeting: Meeting,
}

/// The seat of one replica.
pub(super) struct Seat {
    pub(super) number: usize,
    /// What starts its process.
    pub(super) start: Start,
    /// What transactions get to finish when it is not wanted any more.
    pub(super) drain: Duration,
    /// How many seats are: this one, if its number is below that.
    pub(super) wanted: watch::Receiver<usize>,
    pub(super) words: mpsc::UnboundedReceiver<Word>,
    /// Since when what runs is of no use.
    pub(super) disconnected: watch::Receiver<Option<SystemTime>>,
    pub(super) stop: CancellationToken,
    pub(super) events: mpsc::Sender<ReplicaEvent>,
    pub(super) roll: Roll,
}

/// How a process came to its end.
enum Outcome {
    /// By itself, or it had to.
    Exited(ReplicaExit),
    /// It was not wanted any more.
    Dispensed,
    /// None is wanted any more.
    Stopped,
}

/// Why a process is ended.
enum Why {
    HasEnded(ReplicaExit),
    IsOfNoUse,
    HadItsTime,
    IsToStop,
}

impl Seat {
    /// Keeps a process there for as long as it is wanted, and until all are to stop.
    pub(super) async fn keep(mut self, first: Option<Started>) {
        let (mut next, mut ends) = (first, 0);
        loop {
            let started = match next.take() {
                Some(started) => started,
                None => match self.start(&mut ends).await {
                    Some(started) => started,
                    None => return,
                },
            };
            let begun = Instant::now();
            match self.attend(started).await {
                Outcome::Stopped => return,
                Outcome::Dispensed => ends = 0,
                Outcome::Exited(exit) => {
                    ends = if begun.elapsed() >= RECOVERED { 1 } else { ends + 1 };
                    self.tell_end(exit, ends).await;
                }
            }
        }
    }

    /// Starts the process when it is wanted, after so many ends in a row; `None` when all are to stop.
    async fn start(&mut self, ends: &mut u32) -> Option<Started> {
        loop {
            let number = self.number;
            let due = async {
                sleep(delay(*ends)).await;
                is_said(&mut self.wanted, |wanted| number < *wanted).await;
            };
            tokio::select! {
                () = due => {}
                () = self.stop.cancelled() => return None,
            }
            match self.start.spawn() {
                Ok(started) => return Some(started),
                Err(error) => {
                    *ends += 1;
                    self.tell(ReplicaEvent::Trouble(one_line(&error))).await;
                }
            }
        }
    }

    /// Attends to a process until it has ended.
    async fn attend(&mut self, started: Started) -> Outcome {
        let name = name(self.number);
        self.roll.enter(name.to_string(), present(self.number, started.listening));
        let outcome = self.attend_as(&name, started).await;
        self.roll.strike(&name);
        outcome
    }

    async fn attend_as(&mut self, name: &Arc<str>, started: Started) -> Outcome {
        let begun = SystemTime::now();
        let Started { mut process, listening } = started;
        if let Some(address) = listening {
            self.tell(ReplicaEvent::Listening(address)).await;
        }
        let (why, is_leaving) = {
            let events = self.events.clone();
            let following = pin!(follow(&mut process, name, &events));
            self.watch(begun, listening, async { exit(following.await) }).await
        };
        let exit = match why {
            Why::IsToStop => {
                end_gently(process).await;
                return Outcome::Stopped;
            }
            Why::HasEnded(exit) => exit,
            Why::HadItsTime | Why::IsOfNoUse => {
                end_gently(process).await;
                ReplicaExit { status: DISCONNECTED.to_owned(), last_lines: Vec::new() }
            }
        };
        if let Some(address) = listening.filter(|_| !is_leaving) {
            self.tell(ReplicaEvent::Silenced(address)).await;
        }
        if is_leaving {
            self.tell(ReplicaEvent::Left(self.origin())).await;
            return Outcome::Dispensed;
        }
        Outcome::Exited(exit)
    }

    /// Returns when the process has ended, or is to; and whether it was to go.
    async fn watch(
        &mut self,
        begun: SystemTime,
        listening: Option<SocketAddr>,
        ended: impl Future<Output = ReplicaExit>,
    ) -> (Why, bool) {
        let mut ended = pin!(ended);
        let (mut connection, mut until, mut is_leaving) = (None, None, false);
        let number = self.number;
        loop {
            let events = &self.events;
            tokio::select! {
                exit = &mut ended => return (Why::HasEnded(exit), is_leaving),
                () = is_said(&mut self.disconnected, |since| since.is_some_and(|it| begun < it)) => {
                    return (Why::IsOfNoUse, is_leaving);
                }
                () = self.stop.cancelled() => return (Why::IsToStop, is_leaving),
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    return (Why::HadItsTime, is_leaving);
                }
                Some(Word { connection: of, meeting }) = self.words.recv() => match meeting {
                    Meeting::Joined => (connection, until) = (Some(of), until.filter(|_| is_leaving)),
                    // Of the process before.
                    _ if connection != Some(of) => {}
                    Meeting::Hung => return (Why::IsOfNoUse, is_leaving),
                    Meeting::Released | Meeting::Lost => {
                        let time = if is_leaving { FAREWELL } else { LINGER };
                        until = Some(Instant::now() + time);
                    }
                },
                () = is_said(&mut self.wanted, |wanted| number >= *wanted), if !is_leaving => {
                    is_leaving = true;
                    self.roll.leaves(&name(number));
                    until = Some(Instant::now() + self.drain.min(AGES) + FAREWELL);
                    // Who listens is not to be fetched again when its stream has ended.
                    if let Some(address) = listening {
                        let _ = events.send(ReplicaEvent::Silenced(address)).await;
                    }
                    let _ = events.send(ReplicaEvent::Leaving(origin(number))).await;
                }
            }
        }
    }

    /// What follows from an end, which is the last of so many in a row.
    async fn tell_end(&self, exit: ReplicaExit, ends: u32) {
        let trouble = (ends >= HOPELESS)
            .then(|| ReplicaEvent::Trouble(format!("it ended {ends} times in a row: {exit}")));
        self.tell(ReplicaEvent::Exited(exit)).await;
        if let Some(trouble) = trouble {
            self.tell(trouble).await;
        }
    }

    fn origin(&self) -> Origin {
        origin(self.number)
    }

    async fn tell(&self, event: ReplicaEvent) {
        // Nobody listens any more once the replicas are to stop.
        let _ = self.events.send(event).await;
    }
}

/// How the proxy knows the replica in a seat.
fn origin(seat: usize) -> Origin {
    Origin { address: Ipv4Addr::LOCALHOST.into(), seat: u32::try_from(seat).ok() }
}

/// Ready when what is said is so.
async fn is_said<T>(said: &mut watch::Receiver<T>, is_so: impl FnMut(&T) -> bool) {
    if said.wait_for(is_so).await.is_err() {
        // Nobody is left to say so.
        pending::<()>().await;
    }
}
