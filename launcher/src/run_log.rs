//! What a chaincode's `run` is told while it waits.

use std::sync::Arc;

use selvedge_proto::launcher::{Ready, RunEvent, SourceWanted, run_event};
use tokio::sync::mpsc;
use tonic::Status;

use crate::kept_lines::KeptLines;

/// Places in the queue that lines leave free, so that what `run` must learn finds one.
const RESERVED: usize = 8;

/// The way from a chaincode to the `run` that waits for it, and so to the peer's log; and to whoever
/// asks the launcher for it.
#[derive(Clone)]
pub(crate) struct RunLog {
    events: mpsc::Sender<Result<RunEvent, Status>>,
    kept: Arc<KeptLines>,
    nobody: Arc<str>,
}

impl RunLog {
    pub(crate) fn new(
        events: mpsc::Sender<Result<RunEvent, Status>>,
        kept: Arc<KeptLines>,
    ) -> Self {
        Self { events, kept, nobody: "".into() }
    }

    /// Passes on what is said of the chaincode.
    pub(crate) fn line(&self, line: String) {
        self.pass_on(&self.nobody, line);
    }

    /// Passes on a line that a replica has written.
    pub(crate) fn written(&self, replica: &Arc<str>, line: String) {
        self.pass_on(replica, line);
    }

    /// Keeps for those who ask what the `run` is told otherwise.
    pub(crate) fn keep(&self, line: &str) {
        self.kept.push(&self.nobody, line);
    }

    /// A line that finds the queue full is dropped: a peer that does not read must not stop its
    /// chaincode; the launcher's own log has it.
    fn pass_on(&self, replica: &Arc<str>, line: String) {
        self.kept.push(replica, &line);
        if self.events.capacity() > RESERVED {
            self.event(run_event::Event::Log(line));
        }
    }

    /// Says that the peer takes the chaincode as ready.
    pub(crate) fn ready(&self) {
        self.event(run_event::Event::Ready(Ready {}));
    }

    /// Asks for the source, to build the image again.
    pub(crate) fn want_source(&self) {
        self.event(run_event::Event::SourceWanted(SourceWanted {}));
    }

    fn event(&self, event: run_event::Event) {
        // Nobody left to tell is a `run` that has ended.
        let _ = self.events.try_send(Ok(RunEvent { event: Some(event) }));
    }

    /// Fires when the `run` is gone.
    pub(crate) async fn closed(&self) {
        self.events.closed().await;
    }
}
