//! Keeps replicas' processes running: what Kubernetes does with pods' containers.

use std::time::SystemTime;

use async_trait::async_trait;
use selvedge_proto::launcher::LocalPlace;
use selvedge_proto::launcher::chaincode_status::Place;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::restarts::{RECOVERED, delay};
use super::started::{Start, Started, end_gently, exit, follow};
use crate::backend::{DISCONNECTED, ReplicaEvent, ReplicaExit, Replicas, StartError};

/// From this many ends in a row on, transactions do not wait for the next start.
const HOPELESS: u32 = 3;

/// Supervised replicas.
pub(crate) struct Supervised {
    events: mpsc::Receiver<ReplicaEvent>,
    /// Since when what runs is of no use.
    disconnected: watch::Sender<Option<SystemTime>>,
    stop: CancellationToken,
    /// One for each.
    tasks: JoinSet<()>,
}

impl Supervised {
    /// Starts the replicas; an error when the first start of one fails.
    pub(crate) fn start(starts: Vec<Start>) -> Result<Self, StartError> {
        let (sink, events) = mpsc::channel(256);
        let (disconnected, since) = watch::channel(None);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for start in starts {
            let started = start.spawn()?;
            tasks.spawn(supervise(start, started, sink.clone(), since.clone(), stop.clone()));
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
    mut started: Started,
    events: mpsc::Sender<ReplicaEvent>,
    mut disconnected: watch::Receiver<Option<SystemTime>>,
    stop: CancellationToken,
) {
    let mut ends = 0;
    loop {
        let (begun, begun_at) = (Instant::now(), SystemTime::now());
        let Started { mut process, listening } = started;
        if let Some(address) = listening {
            let _ = events.send(ReplicaEvent::Listening(address)).await;
        }
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
        if let Some(address) = listening {
            let _ = events.send(ReplicaEvent::Silenced(address)).await;
        }
        let _ = events.send(ReplicaEvent::Exited(exit)).await;
        if let Some(trouble) = trouble {
            let _ = events.send(trouble).await;
        }
        started = loop {
            tokio::select! {
                () = sleep(delay(ends)) => {}
                () = stop.cancelled() => return,
            }
            match start.spawn() {
                Ok(started) => break started,
                Err(error) => {
                    ends += 1;
                    let reason = crate::error_chain::one_line(&error);
                    let _ = events.send(ReplicaEvent::Trouble(reason)).await;
                }
            }
        };
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
