//! A call of the launcher, from the moment it is made: its events, one by one.

use std::{future::Future, pin::Pin};

use tonic::{Response, Status, Streaming};

use selvedge_client::{Address, LauncherError};

type Opening<Event> =
    Pin<Box<dyn Future<Output = Result<Response<Streaming<Event>>, Status>> + Send>>;

/// A call under way. Dropped, it is cancelled, and the launcher ends what it did.
pub(crate) struct Call<Event> {
    launcher: Address,
    stage: Stage<Event>,
}

enum Stage<Event> {
    /// The launcher has not answered: it may read all of a source first.
    Opening(Opening<Event>),
    Open(Box<Streaming<Event>>),
}

impl<Event: Send + 'static> Call<Event> {
    /// A call that `opening` makes.
    pub(crate) fn new(
        launcher: Address,
        opening: impl Future<Output = Result<Response<Streaming<Event>>, Status>> + Send + 'static,
    ) -> Self {
        Self { launcher, stage: Stage::Opening(Box::pin(opening)) }
    }

    /// Waits for the next event; none when the call has ended. Nothing is lost
    /// when the wait is given up.
    pub(crate) async fn event(&mut self) -> Result<Option<Event>, LauncherError> {
        self.next().await.map_err(|status| self.launcher.fault(&status))
    }

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        loop {
            match &mut self.stage {
                Stage::Opening(opening) => {
                    self.stage = Stage::Open(Box::new(opening.await?.into_inner()));
                }
                Stage::Open(events) => return events.message().await,
            }
        }
    }
}
