//! The API: what a peer's executables ask of the launcher, and its operator.

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

use self::shared::Shared;
use self::slots::Slots;
pub(crate) use self::status::launcher_status;
use crate::configuration::Configuration;
use crate::deadline::LaunchDeadline;
use crate::opening::Entrance;
use crate::running::Running;
use crate::seen::Seen;

/// Events queued for a builder that is slow to read them.
const QUEUE: usize = 1024;

/// The launcher's service.
pub(crate) struct LauncherApi(Arc<Shared>);

impl LauncherApi {
    /// The service of a launcher that may not have started yet.
    pub(crate) fn new(
        entrance: Entrance,
        running: Running,
        configuration: Configuration,
        seen: Seen,
    ) -> Self {
        let slots = Slots::new(configuration.now().builds().parallel);
        Self(Arc::new(Shared { entrance, running, configuration, slots, seen }))
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
        let (events, queue) = mpsc::channel(QUEUE);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let requests = request.into_inner();
            tokio::select! {
                answer = build::build(&shared, requests, &events) => {
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
        let deadline = LaunchDeadline::of(self.0.start_limit());
        let (events, queue) = mpsc::channel(QUEUE);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let answer = run::run(&shared, request.into_inner(), deadline, events.clone()).await;
            let _ = events.send(answer).await;
        });
        Ok(Response::new(ReceiverStream::new(queue)))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Ok(Response::new(status::status(&self.0)))
    }

    async fn logs(
        &self,
        request: Request<LogsRequest>,
    ) -> Result<Response<Self::LogsStream>, Status> {
        logs::of_chaincode(&self.0.seen, request.into_inner()).map(Response::new)
    }

    async fn builds(&self, _: Request<BuildsRequest>) -> Result<Response<BuildsResponse>, Status> {
        Ok(Response::new(BuildsResponse { builds: self.0.seen.builds.all() }))
    }

    async fn build_log(
        &self,
        request: Request<BuildLogRequest>,
    ) -> Result<Response<Self::BuildLogStream>, Status> {
        logs::of_build(&self.0.seen, &request.into_inner()).map(Response::new)
    }

    async fn examine(
        &self,
        _: Request<ExamineRequest>,
    ) -> Result<Response<ExamineResponse>, Status> {
        Ok(Response::new(examine::examine(&self.0).await))
    }
}
