//! A launcher on a real socket that speaks the real API and does what a test says.

use std::{future::Future, path::Path, pin::Pin, sync::Arc};

use selvedge_proto::launcher::{
    BuildEvent, BuildLogRequest, BuildRequest, BuildsRequest, BuildsResponse, ExamineRequest,
    ExamineResponse, ImageCommand, ImageReference, Listening, LogLines, LogsRequest, RunEvent,
    RunRequest, StatusRequest, StatusResponse, build_event, launcher_server, run_event,
};
use tokio::{net::UnixListener, runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    service::Routes,
    transport::{Server, server::Router},
};

/// Where a call's events go; the call ends when it is dropped. Events to an
/// executable that is gone are lost: its test looks at how it ended.
pub(crate) struct Events<Event>(mpsc::Sender<Result<Event, Status>>);

impl Events<BuildEvent> {
    /// Says something of a build.
    pub(crate) async fn say(&self, event: build_event::Event) {
        let _ = self.0.send(Ok(BuildEvent { event: Some(event), listening: None })).await;
    }
}

impl Events<BuildEvent> {
    /// Says what a build made, and how it is linked.
    pub(crate) async fn image(&self, image: ImageReference, listening: Option<Listening>) {
        let event = Some(build_event::Event::Image(image));
        let _ = self.0.send(Ok(BuildEvent { event, listening })).await;
    }
}

impl Events<RunEvent> {
    /// Says something of a run.
    pub(crate) async fn say(&self, event: run_event::Event) {
        let _ = self.0.send(Ok(RunEvent { event: Some(event) })).await;
    }
}

impl<Event> Events<Event> {
    /// Ends the call with an error.
    pub(crate) async fn fail(&self, status: Status) {
        let _ = self.0.send(Err(status)).await;
    }

    /// Waits until the executable is gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

type Script<Req, Event> = Arc<
    dyn Fn(Streaming<Req>, Events<Event>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync,
>;

/// The launcher; it dies when it is dropped, and its connections with it.
pub(crate) struct Launcher {
    runtime: Option<Runtime>,
}

/// What it does for each call.
#[derive(Clone, Default)]
struct Scripts {
    build: Option<Script<BuildRequest, BuildEvent>>,
    run: Option<Script<RunRequest, RunEvent>>,
}

impl Launcher {
    /// A launcher that builds by a script.
    pub(crate) fn building<F: Future<Output = ()> + Send + 'static>(
        socket: &Path,
        script: impl Fn(Streaming<BuildRequest>, Events<BuildEvent>) -> F + Send + Sync + 'static,
    ) -> Self {
        let build: Script<_, _> =
            Arc::new(move |requests, events| Box::pin(script(requests, events)));
        Self::serving(socket, Scripts { build: Some(build), run: None })
    }

    /// A launcher that runs chaincode by a script.
    pub(crate) fn running<F: Future<Output = ()> + Send + 'static>(
        socket: &Path,
        script: impl Fn(Streaming<RunRequest>, Events<RunEvent>) -> F + Send + Sync + 'static,
    ) -> Self {
        let run: Script<_, _> =
            Arc::new(move |requests, events| Box::pin(script(requests, events)));
        Self::serving(socket, Scripts { build: None, run: Some(run) })
    }

    /// A gRPC server that knows nothing of this version of the API.
    pub(crate) fn of_another_version(socket: &Path) -> Self {
        Self::listen(socket, Server::builder().add_routes(Routes::default()))
    }

    fn serving(socket: &Path, scripts: Scripts) -> Self {
        let service = launcher_server::LauncherServer::new(scripts);
        Self::listen(socket, Server::builder().add_service(service))
    }

    fn listen(socket: &Path, server: Router) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(socket).unwrap()
        };
        runtime.spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        Self { runtime: Some(runtime) }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn perform<Req, Event>(
    script: Option<&Script<Req, Event>>,
    request: Request<Streaming<Req>>,
) -> Result<Response<ReceiverStream<Result<Event, Status>>>, Status>
where
    Req: Send + 'static,
    Event: Send + 'static,
{
    let script = script.ok_or_else(not_in_this_test)?;
    let (events, receiver) = mpsc::channel(4);
    tokio::spawn(script(request.into_inner(), Events(events)));
    Ok(Response::new(ReceiverStream::new(receiver)))
}

#[tonic::async_trait]
impl launcher_server::Launcher for Scripts {
    type BuildStream = ReceiverStream<Result<BuildEvent, Status>>;
    type RunStream = ReceiverStream<Result<RunEvent, Status>>;
    type LogsStream = ReceiverStream<Result<LogLines, Status>>;
    type BuildLogStream = ReceiverStream<Result<LogLines, Status>>;

    async fn build(
        &self,
        request: Request<Streaming<BuildRequest>>,
    ) -> Result<Response<Self::BuildStream>, Status> {
        perform(self.build.as_ref(), request)
    }

    async fn run(
        &self,
        request: Request<Streaming<RunRequest>>,
    ) -> Result<Response<Self::RunStream>, Status> {
        perform(self.run.as_ref(), request)
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Err(not_in_this_test())
    }

    async fn logs(&self, _: Request<LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        Err(not_in_this_test())
    }

    async fn builds(&self, _: Request<BuildsRequest>) -> Result<Response<BuildsResponse>, Status> {
        Err(not_in_this_test())
    }

    async fn build_log(
        &self,
        _: Request<BuildLogRequest>,
    ) -> Result<Response<Self::BuildLogStream>, Status> {
        Err(not_in_this_test())
    }

    async fn examine(
        &self,
        _: Request<ExamineRequest>,
    ) -> Result<Response<ExamineResponse>, Status> {
        Err(not_in_this_test())
    }
}

fn not_in_this_test() -> Status {
    Status::internal("not in this test")
}

/// An image, as a build ends with it.
pub(crate) fn image() -> ImageReference {
    let command =
        ImageCommand { entrypoint: vec!["/chaincode".into()], cmd: vec!["--quiet".into()] };
    ImageReference {
        name: "selvedge/basic".into(),
        digest: format!("sha256:{}", "5".repeat(64)),
        command: Some(command),
    }
}
