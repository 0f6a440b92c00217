//! Keeps replicas' processes running: what Kubernetes does with pods' containers.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use selvedge_proto::launcher::LocalPlace;
use selvedge_proto::launcher::chaincode_status::Place;
use tokio::process::Command;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::process::{Process, ProcessEnd};
use crate::backend::{DISCONNECTED, ReplicaEvent, ReplicaExit, Replicas, StartError};
use crate::backoff::doubled;

/// The delay before the second restart in a row; it doubles from there. The first is at once.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// A process that lived this long has recovered: its next restart is at once again.
const RECOVERED: Duration = Duration::from_secs(20);

/// From this many ends in a row on, transactions do not wait for the next start.
const HOPELESS: u32 = 3;

/// What a process gets between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// Supervised replicas.
pub(crate) struct Supervised {
    events: mpsc::Receiver<ReplicaEvent>,
    /// Since when what runs is of no use.
    disconnected: watch::Sender<Option<SystemTime>>,
    stop: CancellationToken,
    /// One for each.
    tasks: JoinSet<()>,
}

/// What starts the replica, each time anew.
pub(crate) struct Start {
    /// The program, for error messages.
    pub(crate) program: String,
    /// Makes the command.
    pub(crate) command: Box<dyn Fn() -> Command + Send + Sync>,
    /// What must live as long as the replica.
    pub(crate) _files: crate::data::TemporaryDirectory,
}

impl Supervised {
    /// Starts the replicas; an error when the first start of one fails.
    pub(crate) fn start(starts: Vec<Start>) -> Result<Self, StartError> {
        let (sink, events) = mpsc::channel(256);
        let (disconnected, since) = watch::channel(None);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for start in starts {
            let process = spawn(&start)?;
            tasks.spawn(supervise(start, process, sink.clone(), since.clone(), stop.clone()));
        }
        Ok(Self { events, disconnected, stop, tasks })
    }
}

#[async_trait]
impl Replicas for Supervised {
    fn place(&self) -> Place {
        Place::Local(LocalPlace {})
    }

    async fn next_event(&mut self) -> Option<ReplicaEvent> {
        self.events.recv().await
    }

    fn replace_disconnected(&self, since: SystemTime) {
        self.disconnected.send_replace(Some(since));
    }

    async fn stop(mut self: Box<Self>) {
        self.stop.cancel();
        // What they still write is nobody's concern, but must not hold them up.
        self.events.close();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                error!(%error, "the supervision of a replica failed");
            }
        }
    }
}

async fn supervise(
    start: Start,
    mut process: Process,
    events: mpsc::Sender<ReplicaEvent>,
    mut disconnected: watch::Receiver<Option<SystemTime>>,
    stop: CancellationToken,
) {
    let mut ends = 0;
    loop {
        let (begun, begun_at) = (Instant::now(), SystemTime::now());
        let exit = tokio::select! {
            end = follow(&mut process, &events) => exit(end),
            () = is_outdated(begun_at, &mut disconnected) => {
                end_gently(process).await;
                ReplicaExit { status: DISCONNECTED.to_owned(), last_lines: Vec::new() }
            }
            () = stop.cancelled() => return end_gently(process).await,
        };
        ends = if begun.elapsed() >= RECOVERED { 1 } else { ends + 1 };
        let trouble = (ends >= HOPELESS)
            .then(|| ReplicaEvent::Trouble(format!("it ended {ends} times in a row: {exit}")));
        let _ = events.send(ReplicaEvent::Exited(exit)).await;
        if let Some(trouble) = trouble {
            let _ = events.send(trouble).await;
        }
        process = loop {
            tokio::select! {
                () = sleep(delay(ends)) => {}
                () = stop.cancelled() => return,
            }
            match spawn(&start) {
                Ok(process) => break process,
                Err(error) => {
                    ends += 1;
                    let reason = crate::error_chain::one_line(&error);
                    let _ = events.send(ReplicaEvent::Trouble(reason)).await;
                }
            }
        };
    }
}

async fn follow(
    process: &mut Process,
    events: &mpsc::Sender<ReplicaEvent>,
) -> std::io::Result<ProcessEnd> {
    while let Some(line) = process.next_line().await {
        // Nobody listens any more once the replica is to stop.
        let _ = events.send(ReplicaEvent::Line(line)).await;
    }
    process.end().await
}

fn exit(end: std::io::Result<ProcessEnd>) -> ReplicaExit {
    match end {
        Ok(end) => ReplicaExit { status: end.status.to_string(), last_lines: end.last_lines },
        Err(error) => ReplicaExit { status: error.to_string(), last_lines: Vec::new() },
    }
}

/// Ready when a process that began then is to be replaced.
async fn is_outdated(begun: SystemTime, disconnected: &mut watch::Receiver<Option<SystemTime>>) {
    let is_older = |since: &Option<SystemTime>| since.is_some_and(|since| begun < since);
    if disconnected.wait_for(is_older).await.is_err() {
        // Nobody is left to say so.
        std::future::pending::<()>().await;
    }
}

fn spawn(start: &Start) -> Result<Process, StartError> {
    Process::spawn((start.command)())
        .map_err(|source| StartError::Process { program: start.program.clone(), source })
}

/// The delay before a restart after so many ends in a row.
fn delay(ends: u32) -> Duration {
    match ends.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => doubled(FIRST_DELAY, doublings, LONGEST_DELAY),
    }
}

async fn end_gently(mut process: Process) {
    process.terminate();
    if timeout(GRACE, process.end()).await.is_err() {
        debug!("the chaincode did not end on SIGTERM");
        process.kill();
        if timeout(GRACE, process.end()).await.is_err() {
            warn!("the chaincode's guard did not end it, and is killed");
            process.abandon();
            let _ = timeout(GRACE, process.end()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_at_once_then_ever_later() {
        let delays: Vec<u128> = (1..=10).map(|ends| delay(ends).as_millis()).collect();
        assert_eq!(delays, [0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
    }
}
