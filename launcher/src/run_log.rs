//! What a chaincode's `run` is told while it waits.

use selvedge_proto::launcher::{Ready, RunEvent, SourceWanted, run_event};
use tokio::sync::mpsc;
use tonic::Status;

/// Places in the queue that lines leave free, so that what `run` must learn finds one.
const RESERVED: usize = 8;

/// The way from a chaincode to the `run` that waits for it, and so to the peer's log.
#[derive(Clone)]
pub(crate) struct RunLog(mpsc::Sender<Result<RunEvent, Status>>);

impl RunLog {
    pub(crate) fn new(events: mpsc::Sender<Result<RunEvent, Status>>) -> Self {
        Self(events)
    }

    /// Passes a line on. One that finds the queue full is dropped: a peer that
    /// does not read must not stop its chaincode; the launcher's own log has it.
    pub(crate) fn line(&self, line: String) {
        if self.0.capacity() > RESERVED {
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
        let _ = self.0.try_send(Ok(RunEvent { event: Some(event) }));
    }

    /// Fires when the `run` is gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}
