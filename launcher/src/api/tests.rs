//! The service itself, called as a builder calls it; only what builds is a stand-in.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use selvedge_buildpack::named_image::NamedImage;
use selvedge_buildpack::source::Source;
use selvedge_proto::launcher::launcher_client::LauncherClient;
use selvedge_proto::launcher::launcher_server::LauncherServer;
use selvedge_proto::launcher::{
    ChaincodeSource, ImageReference, RunStart, RunState, build_event, build_request, run_event,
    run_request,
};
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};
use tokio_stream::StreamExt;

use super::*;
use crate::backend::{Backend, BuildError, Replicas, Sighting, StartError, Unrunnable, Workload};
use crate::certificates::ProxyHost;
use crate::data::DataDirectory;
use crate::opening::{Opening, Works, begin};
use crate::seen::Seen;
use crate::source::StagedSource;

/// Builds for as long as a test wants.
struct Builder {
    underway: watch::Sender<usize>,
    finish: Semaphore,
}

#[tonic::async_trait]
impl Backend for Builder {
    async fn build(
        &self,
        _: &StagedSource,
        _: Duration,
        _: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        self.underway.send_modify(|number| *number += 1);
        self.finish.acquire().await.unwrap().forget();
        self.underway.send_modify(|number| *number -= 1);
        Ok(ImageReference { name: "image".into(), digest: "sha256:01".into(), command: None })
    }

    async fn holds(&self, _: &ImageReference) -> bool {
        false
    }

    async fn bring(&self, image: &NamedImage) -> Result<(), Unrunnable> {
        let (image, reason) = (image.clone(), "no roots are here".into());
        match image.name() {
            "elsewhere" => Err(Unrunnable::NoRoots { image, reason }),
            _ => Ok(()),
        }
    }

    async fn find(&self, image: &NamedImage) -> Result<Sighting, Unrunnable> {
        self.bring(image).await?;
        match image.name() {
            "there" => Ok(Sighting::Seen(None)),
            "behind.example.com/a-wall" => Ok(Sighting::Unknown("it is behind a wall".into())),
            other => panic!("nobody was to look for {other}"),
        }
    }

    fn peer(&self) -> &'static str {
        "peer"
    }

    fn proxy_host(&self, _: &str, _: &str, _: &Caller) -> (IpAddr, ProxyHost) {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        (loopback, ProxyHost::Address(loopback))
    }

    async fn start(&self, _: Workload) -> Result<Box<dyn Replicas>, StartError> {
        Err(StartError::Files(std::io::Error::other("nothing is run here")))
    }
}

struct Scene {
    directory: TempDir,
    builder: Arc<Builder>,
    opening: Opening,
    server: LauncherServer<LauncherApi>,
}

impl Scene {
    fn new(parallel_builds: u16) -> Self {
        let (opening, entrance) = begin();
        let configuration = Configuration::of(&format!(
            "apiVersion: selvedge/v1\nbuilds: {{timeout: 1m, parallel: {parallel_builds}}}\n\
             chaincode: {{timeouts: {{start: 1m}}}}\n"
        ));
        let api = LauncherApi::new(entrance, Running::default(), configuration, Seen::default());
        Self {
            directory: tempfile::tempdir().unwrap(),
            builder: Arc::new(Builder {
                underway: watch::Sender::new(0),
                finish: Semaphore::new(0),
            }),
            opening,
            server: LauncherServer::new(api),
        }
    }

    fn open(&self) {
        let data = DataDirectory::open(&self.directory.path().join("data")).unwrap();
        let backend: Arc<dyn Backend> = self.builder.clone();
        self.opening.open(Arc::new(Works { backend, data }));
    }

    /// Calls as a peer's `build` does, with a small source.
    async fn build(&self) -> Streaming<BuildEvent> {
        let source = self.directory.path().join("source/src");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("main.go"), "package main\n").unwrap();
        let start = ChaincodeSource { r#type: "golang".into(), ..ChaincodeSource::default() };
        self.send(start, source.parent().unwrap()).await
    }

    /// The same with a package that names an image.
    async fn name(&self, image: &str) -> Streaming<BuildEvent> {
        let root = self.directory.path().join("named");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("image.json"), image).unwrap();
        let start = ChaincodeSource { r#type: "k8s".into(), ..ChaincodeSource::default() };
        self.send(start, &root).await
    }

    async fn send(&self, start: ChaincodeSource, root: &Path) -> Streaming<BuildEvent> {
        let mut tar = Vec::new();
        Source::open(root).unwrap().write_tar(&mut tar).unwrap();
        let requests = [build_request::Content::Start(start), build_request::Content::Chunk(tar)]
            .map(|content| BuildRequest { content: Some(content) });
        let mut client = LauncherClient::new(self.server.clone());
        client.build(tokio_stream::iter(requests)).await.unwrap().into_inner()
    }

    /// Calls as a peer's `run` does.
    async fn run(&self) -> Streaming<RunEvent> {
        self.run_of("golang", None).await
    }

    async fn run_of(&self, kind: &str, image: Option<ImageReference>) -> Streaming<RunEvent> {
        let start = RunStart {
            package_id: "basic_1.0:01".into(),
            peer_address: "127.0.0.1:7052".into(),
            source: Some(ChaincodeSource { r#type: kind.into(), ..ChaincodeSource::default() }),
            image,
            ..RunStart::default()
        };
        let start = RunRequest { content: Some(run_request::Content::Start(start)) };
        let requests = tokio_stream::once(start).chain(tokio_stream::pending());
        let mut client = LauncherClient::new(self.server.clone());
        client.run(requests).await.unwrap().into_inner()
    }

    async fn status(&self) -> StatusResponse {
        let mut client = LauncherClient::new(self.server.clone());
        client.status(StatusRequest {}).await.unwrap().into_inner()
    }

    async fn underway(&self, wanted: usize) {
        self.builder.underway.subscribe().wait_for(|number| *number == wanted).await.unwrap();
    }
}

async fn line(events: &mut Streaming<BuildEvent>) -> String {
    match events.message().await.unwrap().unwrap().event {
        Some(build_event::Event::Log(line)) => line,
        other => panic!("{other:?} instead of a line"),
    }
}

async fn image(events: &mut Streaming<BuildEvent>) -> String {
    match events.message().await.unwrap().unwrap().event {
        Some(build_event::Event::Image(image)) => image.digest,
        other => panic!("{other:?} instead of an image"),
    }
}

#[tokio::test]
async fn who_calls_before_the_launcher_has_started_is_told_and_served() {
    let scene = Scene::new(1);
    let mut events = scene.build().await;
    assert_eq!(line(&mut events).await, "the launcher is starting: waiting for it");
    scene.builder.finish.add_permits(1);
    scene.open();
    assert_eq!(image(&mut events).await, "sha256:01");
}

#[tokio::test]
async fn who_calls_a_launcher_that_cannot_start_learns_why() {
    let scene = Scene::new(1);
    let mut events = scene.build().await;
    line(&mut events).await;
    scene.opening.fail("there is no registry".to_owned());
    let status = events.message().await.unwrap_err();
    assert_eq!(status.message(), "the launcher cannot start: there is no registry");
}

#[tokio::test(start_paused = true)]
async fn a_launch_waits_for_the_launcher_no_longer_than_it_may_take() {
    let scene = Scene::new(1);
    let mut events = scene.run().await;
    let mut lines = Vec::new();
    let status = loop {
        match events.message().await {
            Ok(Some(RunEvent { event: Some(run_event::Event::Log(line)) })) => lines.push(line),
            Err(status) => break status,
            other => panic!("{other:?} instead of a line"),
        }
    };
    assert_eq!(lines[0], "the launcher is starting: waiting for it");
    let expected = "the launcher has not started within 60 s (chaincode.timeouts.start); its log says what \
                    it waits for";
    assert_eq!(status.message(), expected);
}

#[tokio::test]
async fn how_it_is_tells_a_launcher_that_has_not_started_and_what_waits_for_it() {
    let scene = Scene::new(1);
    let before = scene.status().await;
    assert_eq!(before.launcher.unwrap().closed, "the launcher is starting");
    assert!(before.chaincodes.is_empty());
    let mut events = scene.run().await;
    events.message().await.unwrap();
    let [waiting] = &scene.status().await.chaincodes[..] else { panic!("one was called for") };
    assert_eq!(waiting.package_id, "basic_1.0:01");
    assert_eq!(waiting.state(), RunState::Starting);
    scene.open();
    let launcher = scene.status().await.launcher.unwrap();
    assert_eq!((&*launcher.peer, &*launcher.closed), ("peer", ""));
    assert_eq!((&*launcher.backend, &*launcher.file_refused), ("local", ""));
    while let Ok(Some(_)) = events.message().await {}
    assert!(scene.status().await.chaincodes.is_empty(), "a run that failed is there");
}

#[tokio::test]
async fn more_builds_than_may_be_at_once_wait_and_are_told() {
    let scene = Scene::new(2);
    scene.open();
    let (mut one, mut other) = (scene.build().await, scene.build().await);
    scene.underway(2).await;
    let mut third = scene.build().await;
    let expected = "the launcher builds as much as it may at once (builds.parallel=2): waiting \
                    for a build to end";
    assert_eq!(line(&mut third).await, expected);
    // Nothing of it is on disk.
    let staged = std::fs::read_dir(scene.directory.path().join("data/tmp")).unwrap().count();
    assert_eq!(staged, 2);

    scene.builder.finish.add_permits(1);
    tokio::select! {
        digest = image(&mut one) => assert_eq!(digest, "sha256:01"),
        digest = image(&mut other) => assert_eq!(digest, "sha256:01"),
    }
    scene.underway(2).await;
    scene.builder.finish.add_permits(2);
    assert_eq!(image(&mut third).await, "sha256:01");
}

const DIGEST: &str = "sha256:802c336235cc1e7347e2da36c73fa2e4b6437cfc6f52872674d1e23f23bba63b";

#[tokio::test]
async fn an_image_that_a_package_names_is_the_answer_by_its_own_name() {
    let scene = Scene::new(1);
    scene.open();
    let json = |name: &str| format!(r#"{{"name":"{name}","digest":"{DIGEST}"}}"#);
    assert_eq!(image(&mut scene.name(&json("there")).await).await, DIGEST);

    let mut walled = scene.name(&json("behind.example.com/a-wall")).await;
    let expected = format!(
        "cannot tell whether the image behind.example.com/a-wall@{DIGEST} is there, and for which \
         platform: it is behind a wall"
    );
    assert_eq!(line(&mut walled).await, expected);
    assert_eq!(image(&mut walled).await, DIGEST);

    for (json, reason) in [
        (json("elsewhere"), "the image elsewhere@"),
        (
            "{}".into(),
            "the chaincode's image is not named as it has to be: image.json has no `name`",
        ),
    ] {
        let status = scene.name(&json).await.message().await.unwrap_err();
        assert!(status.message().starts_with(reason), "{}", status.message());
    }
    assert_eq!(*scene.builder.underway.borrow(), 0, "something was built");
    let left = std::fs::read_dir(scene.directory.path().join("data/tmp")).unwrap().count();
    assert_eq!(left, 0, "a source was left");
}

#[tokio::test]
async fn a_type_that_is_no_launchers_matter_is_told_what_is() {
    let scene = Scene::new(1);
    scene.open();
    let root = scene.directory.path().join("empty");
    std::fs::create_dir(&root).unwrap();
    for named in ["ccaas", "cobol"] {
        let start = ChaincodeSource { r#type: named.into(), ..ChaincodeSource::default() };
        let status = scene.send(start, &root).await.message().await.unwrap_err();
        let told = format!(
            "no launcher of this release has a part in chaincode of type {named:?}, only in golang, \
             node, java, binary, k8s"
        );
        assert_eq!(status.message(), told);
    }
}

/// Whatever became of it: nobody here could make it again.
#[tokio::test]
async fn an_image_that_a_package_names_is_never_built_again() {
    let scene = Scene::new(1);
    scene.open();
    for (name, reason) in [
        ("elsewhere", "the image elsewhere@"),
        ("Not a name", "image.json has the `name` Not a name, which no image can have"),
    ] {
        let named = ImageReference { name: name.into(), digest: DIGEST.into(), command: None };
        let mut events = scene.run_of("k8s", Some(named)).await;
        let status = loop {
            match events.message().await {
                Ok(Some(RunEvent { event: Some(run_event::Event::Log(_)) })) => {}
                Err(status) => break status,
                other => panic!("{other:?} instead of a line"),
            }
        };
        assert!(status.message().starts_with(reason), "{}", status.message());
    }
    assert_eq!(*scene.builder.underway.borrow(), 0, "something was built");
}
