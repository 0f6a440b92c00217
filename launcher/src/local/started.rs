//! A replica's process from its start to its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::process::{Process, ProcessEnd};
use crate::backend::{ReplicaEvent, ReplicaExit, StartError};
use crate::data::TemporaryDirectory;
use crate::roll::{Mark, Present};

/// What a process gets between SIGTERM and SIGKILL.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// What starts the replica, each time anew.
pub(crate) struct Start {
    /// The program, for error messages.
    pub(crate) program: String,
    /// Whether it listens.
    pub(crate) listens: bool,
    /// Makes the command; of one that listens, such that it is dialled there.
    pub(crate) command: Box<dyn Fn(Option<SocketAddr>) -> Command + Send + Sync>,
    /// What must live as long as the replica.
    pub(crate) _files: Arc<TemporaryDirectory>,
}

/// A process, and where it is to be dialled if it listens.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) listening: Option<SocketAddr>,
}

impl Start {
    pub(super) fn spawn(&self) -> Result<Started, StartError> {
        let failed = |source| StartError::Process { program: self.program.clone(), source };
        let listening = self.listens.then(free_address).transpose().map_err(failed)?;
        let process = Process::spawn((self.command)(listening)).map_err(failed)?;
        Ok(Started { process, listening })
    }
}

/// Where nobody listens: another one each time, since somebody may by the next.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Tells what it writes until it has ended, under this name.
pub(super) async fn follow(
    process: &mut Process,
    replica: &Arc<str>,
    events: &mpsc::Sender<ReplicaEvent>,
) -> io::Result<ProcessEnd> {
    while let Some(line) = process.next_line().await {
        // Nobody listens any more once the replica is to stop.
        let _ = events.send(ReplicaEvent::Wrote { replica: Arc::clone(replica), line }).await;
    }
    process.end().await
}

/// What the replica in a seat is called.
pub(super) fn name(seat: usize) -> Arc<str> {
    format!("replica-{seat}").into()
}

/// What the roll has of one that was just started in a seat.
pub(super) fn present(seat: usize, listening: Option<SocketAddr>) -> Present {
    let number = u32::try_from(seat).unwrap_or(u32::MAX);
    Present {
        node: String::new(),
        since: SystemTime::now(),
        mark: listening.map_or(Mark::Seat(number), Mark::At),
        is_leaving: false,
    }
}

pub(super) fn exit(end: io::Result<ProcessEnd>) -> ReplicaExit {
    match end {
        Ok(end) => ReplicaExit { status: end.status.to_string(), last_lines: end.last_lines },
        Err(error) => ReplicaExit { status: error.to_string(), last_lines: Vec::new() },
    }
}

pub(super) async fn end_gently(mut process: Process) {
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
