//! The API: what a peer's executables ask of the launcher, and its operator.

mod admission;
mod build;
mod examine;
mod imaging;
mod listening;
mod logs;
mod run;
mod shared;
mod slots;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use selvedge_proto::launcher::launcher_server::Launcher;
use selvedge_proto::launcher::{
    BuildEvent, BuildLogRequest, BuildRequest, BuildsRequest, BuildsResponse, ExamineRequest,
    ExamineResponse, LogLines, LogsRequest, RunEvent, RunRequest, StatusRequest, StatusResponse,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use self::admission::Way;
use self::shared::Shared;
use self::slots::Slots;
pub(crate) use self::status::launcher_status;
use crate::caller::Caller;
use crate::configuration::Configuration;
use crate::deadline::LaunchDeadline;
use crate::opening::Entrance;
use crate::running::Running;
use crate::seen::Seen;

/// Events queued for a builder that is slow to read them.
const QUEUE: usize = 1024;

/// The launcher's service, for those who come by one way.
pub(crate) struct LauncherApi {
    shared: Arc<Shared>,
    way: Way,
}

impl LauncherApi {
    /// The service of a launcher that may not have started yet.
    pub(crate) fn new(
        entrance: Entrance,
        running: Running,
        configuration: Configuration,
        seen: Seen,
    ) -> Self {
        let slots = Slots::new(configuration.now().builds().parallel);
        let shared = Arc::new(Shared { entrance, running, configuration, slots, seen });
        Self { shared, way: Way::Beside }
    }

    /// The same service for those who come by this way.
    pub(crate) fn by(&self, way: Way) -> Self {
        Self { shared: Arc::clone(&self.shared), way }
    }

    /// Who calls, if he may.
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        self.way.admit(request.extensions(), &self.shared.configuration.now())
    }
}

#[tonic::async_trait]
impl Launcher for LauncherApi {
    type BuildStream = ReceiverStream<Result<BuildEvent, Status>>;
    type RunStream = ReceiverStream<Result<RunEvent, Status>>;
    type LogsStream = ReceiverStream<Result<LogLines, Status>>;
    type BuildLogStream = ReceiverStream<Result<LogLines, Status>>;

    async fn build(
        &self,
        request: Request<Streaming<BuildRequest>>,
    ) -> Result<Response<Self::BuildStream>, Status> {
        let caller = self.caller(&request)?;
        let (events, queue) = mpsc::channel(QUEUE);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let requests = request.into_inner();
            tokio::select! {
                answer = build::build(&shared, &caller, requests, &events) => {
                    // Nobody left to tell is a builder that has ended.
                    let _ = events.send(answer).await;
                }
                // The builder is gone: so is who asked for the image.
                () = events.closed() => tracing::info!("build abandoned by its builder"),
            }
        });
        Ok(Response::new(ReceiverStream::new(queue)))
    }

    async fn run(
        &self,
        request: Request<Streaming<RunRequest>>,
    ) -> Result<Response<Self::RunStream>, Status> {
        let caller = self.caller(&request)?;
        let deadline = LaunchDeadline::of(self.shared.start_limit());
        let (events, queue) = mpsc::channel(QUEUE);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let requests = request.into_inner();
            let answer = run::run(&shared, caller, requests, deadline, events.clone()).await;
            let _ = events.send(answer).await;
        });
        Ok(Response::new(ReceiverStream::new(queue)))
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let caller = self.caller(&request)?;
        Ok(Response::new(status::status(&self.shared, &caller)))
    }

    async fn logs(
        &self,
        request: Request<LogsRequest>,
    ) -> Result<Response<Self::LogsStream>, Status> {
        let caller = self.caller(&request)?;
        logs::of_chaincode(&self.shared.seen, &caller, request.into_inner()).map(Response::new)
    }

    async fn builds(
        &self,
        request: Request<BuildsRequest>,
    ) -> Result<Response<BuildsResponse>, Status> {
        let caller = self.caller(&request)?;
        let builds = self.shared.seen.builds.all(&caller);
        Ok(Response::new(BuildsResponse { builds }))
    }

    async fn build_log(
        &self,
        request: Request<BuildLogRequest>,
    ) -> Result<Response<Self::BuildLogStream>, Status> {
        let caller = self.caller(&request)?;
        logs::of_build(&self.shared.seen, &caller, &request.into_inner()).map(Response::new)
    }

    async fn examine(
        &self,
        request: Request<ExamineRequest>,
    ) -> Result<Response<ExamineResponse>, Status> {
        let caller = self.caller(&request)?;
        Ok(Response::new(examine::examine(&self.shared, &caller).await))
    }
}
