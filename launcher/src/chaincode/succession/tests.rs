//! The order in which a run learns of its sets, and of the replicas in them.

use std::net::{IpAddr, Ipv4Addr};

use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::language::Language;
use selvedge_buildpack::shim::Shim;
use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proto::launcher::{ImageReference, LocalPlace, RunStart};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::backend::{Backend, BuildError, Replicas, StartError, Workload};
use crate::caller::Caller;
use crate::certificates::ProxyHost;
use crate::chaincode::ChaincodeRun;
use crate::chaincode::outset::Outset;
use crate::data::DataDirectory;
use crate::deadline::LaunchDeadline;
use crate::opening::Works;
use crate::roll::Roll;
use crate::source::StagedSource;
use crate::standing::Standing;

/// Starts replicas of which nothing is heard.
struct Silent;

#[tonic::async_trait]
impl Backend for Silent {
    async fn build(
        &self,
        _: &StagedSource,
        _: Duration,
        _: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        Err(BuildError::Compile(vec!["nothing is built here".into()]))
    }

    async fn holds(&self, _: &ImageReference) -> bool {
        true
    }

    fn peer(&self) -> &'static str {
        "peer"
    }

    fn proxy_host(&self, _: &str, _: &str, _: &Caller) -> (IpAddr, ProxyHost) {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        (loopback, ProxyHost::Address(loopback))
    }

    async fn start(&self, _: Workload) -> Result<Box<dyn Replicas>, StartError> {
        Ok(Box::new(Self))
    }
}

#[tonic::async_trait]
impl Replicas for Silent {
    fn place(&self) -> Place {
        Place::Local(LocalPlace {})
    }

    fn roll(&self) -> Roll {
        Roll::default()
    }

    async fn next_event(&mut self) -> Option<ReplicaEvent> {
        pending().await
    }

    fn replace_disconnected(&self, _: std::time::SystemTime) {}

    async fn stop(self: Box<Self>) {}
}

/// A run with one set.
struct Scene {
    succession: Succession,
    proxy: Proxy,
    standing: Standing,
    log: RunLog,
    _directory: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        let works = Arc::new(Works { backend: Arc::new(Silent), data });
        let standing = Standing::new(&RunStart::default(), &Caller::Beside);
        let mut run = ChaincodeRun {
            caller: Caller::Beside,
            package_id: "basic_1.0:01".into(),
            msp_id: "Org1MSP".into(),
            peer: "127.0.0.1:1".parse().unwrap(),
            credentials: None,
            content: PackageContent::Code(Language::Golang),
            shim: Shim::Dials,
            deadline: LaunchDeadline::of(Duration::from_mins(1)),
            standing: standing.clone(),
            left: None,
        };
        let Outset { authority, port, first } = Outset::of(&mut run).unwrap();
        let proxy = run.proxy(&authority, port, &Silent).unwrap();
        let image = ImageReference::default();
        let plan = Plan { proxy: proxy.address(), run, image, authority, works };
        let configuration = Configuration::of("apiVersion: selvedge/v1\n");
        let settings = plan.run.settings(&configuration.now(), &Silent).unwrap();
        let first = plan.begin(settings, first).await.unwrap();
        let succession = Succession::begin(plan, first, configuration, &proxy).await;
        let log = RunLog::new(mpsc::channel(64).0, Arc::default());
        Self { succession, proxy, standing, log, _directory: directory }
    }

    /// Says that two replicas are wanted; the set that is started for that.
    async fn starts_two(&mut self) -> Box<Set> {
        self.starts("replicas: 2").await
    }

    /// Says how it is to run; the set that is started for that.
    async fn starts(&mut self, said: &str) -> Box<Set> {
        let text = format!("apiVersion: selvedge/v1\nchaincode: {{{said}}}\n");
        let operator = Configuration::of(&text).now();
        self.succession.configured(&operator, &self.proxy, &self.log).await;
        match self.succession.happens(false).await {
            Happening::Started(set) => set.unwrap(),
            _ => panic!("something else than a start"),
        }
    }

    fn joined(&mut self, replica: u64, credential: Credential) {
        self.succession.joined(replica, credential, ReplicaPlace::default());
    }

    fn registered(&self) -> u32 {
        self.succession.tell(true, None, &Tally::default());
        self.standing.now().replicas_registered
    }
}

/// On a machine that is slow, a replica connects before anybody has looked at the start's end.
#[tokio::test]
async fn replicas_that_are_faster_than_the_word_of_their_start_are_counted() {
    let mut scene = Scene::new().await;
    let set = scene.starts_two().await;
    let credential = set.credential;
    scene.joined(1, credential);
    scene.succession.started(Ok(set), &scene.proxy, &scene.log).await;
    assert!(matches!(scene.succession.next, Next::Coming(..)), "one of two is enough");
    scene.joined(2, credential);
    assert!(matches!(scene.succession.next, Next::Tried(..)), "two of two are not enough");

    let mut scene = Scene::new().await;
    let set = scene.starts_two().await;
    for replica in [1, 2] {
        scene.joined(replica, set.credential);
    }
    scene.succession.started(Ok(set), &scene.proxy, &scene.log).await;
    assert!(matches!(scene.succession.next, Next::Tried(..)), "nobody tries the set");
}

#[tokio::test]
async fn one_that_was_refused_takes_nothing_from_those_that_are_registered() {
    let mut scene = Scene::new().await;
    let credential = scene.succession.current().credential;
    scene.joined(1, credential);
    scene.succession.left(2, credential, Meeting::Lost);
    assert_eq!(scene.registered(), 1);
    scene.succession.left(1, credential, Meeting::Lost);
    assert_eq!(scene.registered(), 0);
}

#[tokio::test]
async fn of_several_replicas_of_which_one_hangs_all_are_replaced_and_not_at_once_again() {
    let mut scene = Scene::new().await;
    let before = scene.succession.current().credential;
    scene.joined(1, before);
    scene.succession.replace(&scene.log);
    scene.succession.replace(&scene.log);
    let set = match scene.succession.happens(true).await {
        Happening::Started(set) => set.unwrap(),
        _ => panic!("something else than a start"),
    };
    let after = set.credential;
    scene.joined(2, after);
    scene.succession.started(Ok(set), &scene.proxy, &scene.log).await;
    scene.succession.due(&scene.proxy, &scene.log).await;
    assert_eq!(scene.succession.current().credential, after);

    scene.succession.retired(before);
    assert!(matches!(scene.succession.happens(true).await, Happening::Room));
    scene.succession.replace(&scene.log);
    assert!(matches!(scene.succession.next, Next::None));
    let reason = scene.succession.failure.as_ref().map(|failure| failure.reason.text.clone());
    assert!(reason.unwrap().contains("one hangs again; trying again in 1 min"));
}

#[tokio::test]
async fn a_set_that_is_called_for_takes_over_without_a_replica() {
    let mut scene = Scene::new().await;
    let set = scene.starts("execution: function").await;
    let function = set.credential;
    assert!(scene.succession.stay(function));
    scene.succession.started(Ok(set), &scene.proxy, &scene.log).await;
    assert!(matches!(scene.succession.next, Next::None));
    assert_eq!(scene.succession.current().credential, function);
    assert!(!scene.succession.stay(function));

    scene.succession.want(function, 3);
    scene.joined(1, function);
    scene.succession.tell(true, None, &Tally::default());
    let status = scene.standing.now();
    let told = (status.replicas_registered, status.replicas_wanted, status.function_processes);
    assert_eq!(told, (1, 3, 1));
}
