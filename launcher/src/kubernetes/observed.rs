//! What the launcher sees of its peer's chaincode: one watch for each kind of
//! object, for all chaincodes together.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use selvedge_manifest::{Identity, peer_selector};
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tracing::{info, warn};

use super::failure::ApiFailure;
use super::ground::Ground;
use crate::error_chain::one_line;

/// How long one watch lasts, in seconds, before it is asked for again: one that
/// silently broke is noticed by then.
const WATCH: u32 = 60;

/// The delays before a watch that failed is asked for again.
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The objects, as the API last showed them.
pub(crate) struct Observed {
    pub(crate) deployments: Store<Deployment>,
    pub(crate) replica_sets: Store<ReplicaSet>,
    pub(crate) pods: Store<Pod>,
    pub(crate) services: Store<Service>,
    pub(crate) endpoint_slices: Store<EndpointSlice>,
    pub(crate) network_policies: Store<NetworkPolicy>,
    pub(crate) disruption_budgets: Store<PodDisruptionBudget>,
    /// Warnings about pods of any kind: events bear no labels.
    pub(crate) warnings: Store<Event>,
    news: watch::Sender<News>,
    /// Whether everything has been shown.
    shown: OnceCell<()>,
    /// Ends the watches with this.
    _watches: JoinSet<()>,
}

/// What the watches tell besides the objects.
#[derive(Default)]
struct News {
    /// What each watch that fails fails of, by the kind that it is for.
    failures: BTreeMap<String, String>,
}

impl Observed {
    /// Starts to watch.
    pub(crate) fn start(ground: &Ground) -> Self {
        let (news, _) = watch::channel(News::default());
        let of_peer = Config::default().labels(&peer_selector(&ground.peer)).timeout(WATCH);
        let about_pods =
            Config::default().fields("type=Warning,involvedObject.kind=Pod").timeout(WATCH);
        let mut watches = Watches { ground, news: &news, tasks: JoinSet::new() };
        Self {
            deployments: watches.add(&of_peer),
            replica_sets: watches.add(&of_peer),
            pods: watches.add(&of_peer),
            services: watches.add(&of_peer),
            endpoint_slices: watches.add(&of_peer),
            network_policies: watches.add(&of_peer),
            disruption_budgets: watches.add(&of_peer),
            warnings: watches.add(&about_pods),
            shown: OnceCell::new(),
            _watches: watches.tasks,
            news,
        }
    }

    /// Wakes whoever waits for a change of anything.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.news.subscribe())
    }

    /// Returns once everything has been shown.
    pub(crate) async fn ready(&self) {
        // One waits for the stores, and the others for that one, or in its place if it gives up: a store
        // wakes whoever has asked it last, and nobody else (`kube_runtime::utils::delayed_init`).
        self.shown.get_or_init(|| self.all_shown()).await;
    }

    async fn all_shown(&self) {
        // A watch that ended does so with the launcher.
        let _ = tokio::join!(
            self.deployments.wait_until_ready(),
            self.replica_sets.wait_until_ready(),
            self.pods.wait_until_ready(),
            self.services.wait_until_ready(),
            self.endpoint_slices.wait_until_ready(),
            self.network_policies.wait_until_ready(),
            self.disruption_budgets.wait_until_ready(),
            self.warnings.wait_until_ready(),
        );
    }

    /// Why something is not seen, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.news.borrow().failures.values().next().cloned()
    }
}

/// Changes of what is observed.
pub(crate) struct Changes(watch::Receiver<News>);

impl Changes {
    /// Waits for a change since the last call.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nothing is watched any more: the launcher is ending.
            std::future::pending::<()>().await;
        }
    }
}

/// The chaincode's object of a kind.
pub(crate) fn find<K>(store: &Store<K>, identity: &Identity) -> Option<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store.get(&ObjectRef::new(&identity.name).within(&identity.namespace))
}

struct Watches<'a> {
    ground: &'a Ground,
    news: &'a watch::Sender<News>,
    tasks: JoinSet<()>,
}

impl Watches<'_> {
    fn add<K>(&mut self, config: &Config) -> Store<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let (reader, writer) = store();
        let stream = watcher(self.ground.api::<K>(), config.clone())
            // Who set which field is long, and of no use here.
            .modify(|object| object.meta_mut().managed_fields = None)
            .backoff(Delays(FIRST_DELAY));
        let stream = reflector(writer, stream);
        let news = self.news.clone();
        self.tasks.spawn(async move {
            let kind = K::plural(&());
            let mut stream = pin!(stream);
            let mut failed = false;
            while let Some(event) = stream.next().await {
                let failure = event.err().map(|error| one_line(&failure(&kind, error)));
                match &failure {
                    Some(reason) if !failed => warn!(reason, "cannot watch {kind}, trying again"),
                    None if failed => info!("watching {kind} again"),
                    _ => {}
                }
                failed = failure.is_some();
                news.send_modify(|news| match failure {
                    Some(reason) => drop(news.failures.insert(kind.to_string(), reason)),
                    None => drop(news.failures.remove(&*kind)),
                });
            }
        });
        reader
    }
}

/// Delays that double until a watch succeeds: short ones, since a chaincode's
/// trouble is to be told within two seconds.
struct Delays(Duration);

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = self.0;
        self.0 = LONGEST_DELAY.min(delay * 2);
        Some(delay)
    }
}

impl Backoff for Delays {
    fn reset(&mut self) {
        self.0 = FIRST_DELAY;
    }
}

fn failure(kind: &str, error: watcher::Error) -> ApiFailure {
    use watcher::Error::{
        InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed,
    };
    let act = format!("watch {kind}");
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            ApiFailure::new(&act, error)
        }
        WatchError(status) => ApiFailure::of_status(&act, *status),
        NoResourceVersion => ApiFailure::Unreachable { act, source: NoResourceVersion.into() },
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::json;
    use tokio::time::timeout;

    use super::super::mock::Api;
    use super::super::scene::until;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_watch_that_fails_is_told_of_while_the_others_go_on() {
        let api = Api::default();
        api.refuse("GET /api/v1/namespaces/chaincode/pods", 500);
        let observed = Observed::start(&api.ground("peer0-a"));
        until("the first failure", || observed.failure().is_some()).await;
        for version in 1..20 {
            let service = json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {
                    "name": "basic", "namespace": "chaincode",
                    "resourceVersion": version.to_string(),
                },
            });
            api.put("/api/v1/namespaces/chaincode/services/basic", service);
            // Long before the other is asked for again.
            let shown = || {
                let services = observed.services.state();
                services.first().and_then(|service| service.resource_version()?.parse().ok())
            };
            until("the change", || shown() == Some(version)).await;
            let failure = observed.failure().unwrap();
            assert!(failure.contains("refused to watch pods"), "{failure}");
        }
        api.refuse_nothing();
        observed.ready().await;
        assert_eq!(observed.failure(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_who_waits_is_told_when_everything_has_been_shown() {
        let api = Api::default();
        let pods = "GET /api/v1/namespaces/chaincode/pods";
        api.refuse(pods, 500);
        let observed = Arc::new(Observed::start(&api.ground("peer0-a")));
        until("the first failure", || observed.failure().is_some()).await;
        let mut waiting = JoinSet::new();
        for _ in 0..3 {
            let observed = Arc::clone(&observed);
            waiting.spawn(async move { observed.ready().await });
        }
        // One of them who gives up takes nothing with it.
        assert!(timeout(Duration::from_millis(1), observed.ready()).await.is_err());
        assert_eq!(waiting.len(), 3);
        api.refuse_nothing();
        while !waiting.is_empty() {
            let told = timeout(Duration::from_mins(1), waiting.join_next()).await;
            told.expect("it was not told").unwrap().unwrap();
        }
    }
}
