//! Runs chaincode as Deployments of a Kubernetes cluster, on its peer's node.

mod adopted;
mod build;
mod controller;
mod departed;
mod dispute;
mod failure;
mod followed_logs;
mod ground;
mod hindrance;
mod kept;
mod lease;
#[cfg(test)]
mod mock;
mod objects;
mod observed;
mod pod_log;
mod replicas;
mod run;
#[cfg(test)]
mod scene;
mod sweep;
mod trouble;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use selvedge_buildpack::digest::Sha256;
use selvedge_manifest::{Affinity, Identity, LaunchPlan, LaunchTarget, PROXY_PORT, PodShape, Slot};
use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use self::adopted::Adopted;
use self::build::{Builds, BuildsError};
use self::ground::{Ground, GroundError};
use self::lease::Lease;
use self::observed::Observed;
use self::replicas::ClusterReplicas;
use self::run::Order;
use self::sweep::Sweeper;
use crate::backend::{Backend, BuildError, Replicas, StartError, Workload};
use crate::certificates::ProxyHost;
use crate::data::DataDirectory;
use crate::settings::{self, KubernetesSettings, Resources};
use crate::source::StagedSource;

/// Why the backend cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubernetesError {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Builds(#[from] BuildsError),
}

/// The `kubernetes` backend.
pub(crate) struct KubernetesBackend {
    ground: Arc<Ground>,
    observed: Arc<Observed>,
    lease: Arc<Lease>,
    adopted: Arc<Adopted>,
    shape: PodShape,
    builds: Builds,
    _sweeper: AbortOnDropHandle<()>,
}

impl KubernetesBackend {
    /// Finds the cluster and the launcher's own place in it, and starts to watch.
    pub(crate) async fn open(
        settings: &KubernetesSettings,
        data: &DataDirectory,
    ) -> Result<Self, KubernetesError> {
        let ground = Arc::new(Ground::survey(settings).await?);
        info!(
            peer = ground.peer,
            node = ground.pod.peer.node,
            namespace = ground.namespace,
            "chaincode runs in Kubernetes"
        );
        let builds = Builds::open(&settings.builds, Arc::clone(&ground), data).await?;
        let observed = Arc::new(Observed::start(&ground));
        let adopted = Arc::new(Adopted::default());
        let lease = Arc::new(Lease::hold(Arc::clone(&ground)));
        let sweeper = Sweeper {
            ground: Arc::clone(&ground),
            observed: Arc::clone(&observed),
            adopted: Arc::clone(&adopted),
            lease: Arc::clone(&lease),
            adopt_within: settings.adopt_within.0,
            forget_after: settings.forget_after.0,
        };
        Ok(Self {
            ground,
            observed,
            lease,
            adopted,
            shape: PodShape {
                affinity: affinity(settings.affinity),
                requests: quantities(&settings.chaincode_requests),
                limits: quantities(&settings.chaincode_limits),
                tmp: settings.chaincode_tmp.clone(),
                launcher_image: builds.launcher_image().to_owned(),
                pull_secrets: builds.pull_secrets().to_vec(),
            },
            builds,
            _sweeper: AbortOnDropHandle::new(tokio::spawn(sweeper.sweep())),
        })
    }

    fn identity(&self, package_id: &str, msp_id: &str) -> Identity {
        Identity::new(&self.ground.namespace, package_id, msp_id, &self.ground.peer)
    }
}

#[async_trait]
impl Backend for KubernetesBackend {
    async fn build(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        Box::pin(self.builds.build(source, limit, log)).await
    }

    async fn holds(&self, image: &ImageReference) -> bool {
        self.builds.holds(image).await
    }

    fn proxy_host(&self, package_id: &str, msp_id: &str) -> (IpAddr, ProxyHost) {
        (self.ground.pod.ip, ProxyHost::Name(self.identity(package_id, msp_id).host()))
    }

    async fn start(&self, workload: Workload) -> Result<Box<dyn Replicas>, StartError> {
        let identity = self.identity(&workload.package_id, &workload.msp_id);
        let identity = identity.within(Slot::of(workload.set));
        let adoption = self.adopted.adopt(&identity.name).await;
        let plan = LaunchPlan::new(
            &LaunchTarget {
                language: workload.language,
                package_id: &workload.package_id,
                msp_id: &workload.msp_id,
                address: &format!("{}:{PROXY_PORT}", identity.host()),
                root: "",
            },
            &workload.credentials,
        );
        Ok(Box::new(ClusterReplicas::start(Order {
            ground: Arc::clone(&self.ground),
            observed: Arc::clone(&self.observed),
            lease: Arc::clone(&self.lease),
            adoption,
            identity,
            set: workload.set,
            image: format!("{}@{}", workload.image.name, workload.image.digest),
            plan,
            credentials: Sha256::of(workload.credentials.certificate.as_bytes()).hex(),
            proxy: workload.proxy,
            shape: self.shape.clone(),
        })))
    }

    async fn close(&self) {
        tokio::join!(self.builds.close(), self.lease.release());
    }
}

fn affinity(set: settings::Affinity) -> Affinity {
    match set {
        settings::Affinity::Required => Affinity::Required,
        settings::Affinity::Preferred => Affinity::Preferred,
        settings::Affinity::None => Affinity::None,
    }
}

fn quantities(set: &Resources) -> BTreeMap<String, Quantity> {
    let amounts = set.0.iter();
    amounts.map(|(resource, amount)| (resource.clone(), Quantity(amount.clone()))).collect()
}
