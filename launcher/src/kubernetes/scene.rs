//! A launcher in a cluster of a few lines, for tests: what runs and the sweeper work with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use selvedge_buildpack::image::ImageCommand;
use selvedge_config::{Chaincode, Function, Keep, Mode};
use selvedge_manifest::{Identity, LaunchPlan, PACKAGE_ID, STOPPED_AT, Slot};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::mock::Api;
use super::order::Order;
use super::place::Place;
use super::replicas::ClusterReplicas;
use super::sweep::Sweeper;
use crate::backend::Beginning;
use crate::configuration::Configuration;

/// The pod of the first launcher.
pub(super) const POD: &str = "peer0-a";

/// What the operator's file says.
const FILE: &str = "apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode: {timeouts: {adopt: 5m, forget: 24h}}\n";

/// For what happens by itself; the tests' time is not real.
const LIMIT: Duration = Duration::from_mins(10);

/// One launcher.
pub(super) struct Scene {
    pub(super) api: Api,
    pub(super) place: Place,
    pub(super) identity: Identity,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let api = Api::default();
        put_pod(&api, POD);
        let place = Place::take(api.ground(POD));
        place.lease.gained().await;
        let identity = Identity::new("chaincode", "basic_1.0:ab", "Org1MSP", "peer0");
        Self { api, place, identity }
    }

    /// Starts a run of the chaincode.
    pub(super) async fn run(&self) -> ClusterReplicas {
        self.set(0).await
    }

    /// Starts a set of replicas of a run.
    pub(super) async fn set(&self, set: u64) -> ClusterReplicas {
        start(&self.place, self.identity.clone(), set).await
    }

    /// Starts a run of the chaincode as a function, of which nothing is kept.
    pub(super) async fn function(&self) -> ClusterReplicas {
        let mut order = order(&self.place, self.identity.clone(), 0, Beginning::First).await;
        let function = Function { keep: Keep::Nothing, ..Function::default() };
        order.settings =
            Arc::new(Chaincode { execution: Mode::Function, function, ..Chaincode::default() });
        let entrypoint = vec!["/usr/local/bin/chaincode".to_owned()];
        order.command = Some(ImageCommand { entrypoint, cmd: Vec::new() });
        ClusterReplicas::start(order)
    }

    /// Starts a run that goes on with what an earlier one has left of a set.
    pub(super) async fn take_up(&self, set: u64) -> ClusterReplicas {
        begin(&self.place, self.identity.clone(), set, Beginning::TakenUp).await
    }

    pub(super) fn sweeper(&self) -> Sweeper {
        Sweeper { place: self.place.clone(), configuration: configuration() }
    }

    /// The path of an object of the chaincode.
    pub(super) fn path(&self, kind: &str) -> String {
        let group = if kind == "deployments" { "apis/apps/v1" } else { "api/v1" };
        format!("/{group}/namespaces/chaincode/{kind}/{}", self.identity.name)
    }

    pub(super) fn deployment(&self) -> Option<Value> {
        self.api.object(&self.path("deployments"))
    }

    /// Puts the objects of a chaincode there that was stopped years ago.
    pub(super) fn put_forgotten(&self) {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": self.identity.name, "namespace": "chaincode", "uid": "service"},
        });
        self.api.put(&self.path("services"), service);
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": self.identity.name, "namespace": "chaincode", "uid": "deployment",
                "labels": self.identity.labels(),
                "annotations": {
                    PACKAGE_ID: self.identity.package_id, STOPPED_AT: "2020-01-01T00:00:00Z",
                },
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Service", "name": self.identity.name,
                    "uid": "service",
                }],
            },
            "spec": {"replicas": 0, "selector": {}, "template": {}},
        });
        self.api.put(&self.path("deployments"), deployment);
    }

    /// How often an object of this kind was written.
    pub(super) fn writes(&self, kind: &str) -> usize {
        let request = format!("PATCH {}", self.path(kind));
        self.api.requests().iter().filter(|made| **made == request).count()
    }
}

/// Starts a set of replicas of a run in a place.
pub(super) async fn start(place: &Place, identity: Identity, set: u64) -> ClusterReplicas {
    let beginning = if set == 0 { Beginning::First } else { Beginning::Next };
    begin(place, identity, set, beginning).await
}

async fn begin(
    place: &Place,
    identity: Identity,
    set: u64,
    beginning: Beginning,
) -> ClusterReplicas {
    ClusterReplicas::start(order(place, identity, set, beginning).await)
}

async fn order(place: &Place, identity: Identity, set: u64, beginning: Beginning) -> Order {
    let identity = identity.within(Slot::of(set));
    Order {
        place: place.clone(),
        adoption: place.adopted.adopt(&identity.name).await,
        identity,
        beginning,
        image: "registry/chaincode@sha256:01".into(),
        command: None,
        plan: LaunchPlan { environment: vec![], files: vec![], arguments: vec![], port: None },
        credentials: format!("c0ffee{set}"),
        proxy: SocketAddr::new(place.ground.pod.ip, 40123),
        settings: Arc::default(),
        replicas: 1,
        launcher_image: "launcher".into(),
        pull_secrets: Vec::new(),
        pull_login: None,
    }
}

/// The operator's file of the scene.
pub(super) fn configuration() -> Configuration {
    Configuration::of(FILE)
}

/// The API shows the pod.
pub(super) fn put_pod(api: &Api, pod: &str) {
    let path = format!("/api/v1/namespaces/org1/pods/{pod}");
    let uid = format!("uid-of-{pod}");
    api.put(&path, json!({"metadata": {"name": pod, "uid": uid}}));
}

/// Waits for a condition.
pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, waiting).await;
    assert!(waited.is_ok(), "{what} did not come");
}
