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
mod place;
mod places;
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
use tracing::info;

use self::build::{Builds, BuildsError};
use self::ground::{Ground, GroundError};
use self::places::Places;
use self::replicas::ClusterReplicas;
use self::run::Order;
use self::sweep::Times;
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
    places: Places,
    shape: PodShape,
    builds: Builds,
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
        let times =
            Times { adopt_within: settings.adopt_within.0, forget_after: settings.forget_after.0 };
        Ok(Self {
            places: Places::new(ground, times),
            shape: PodShape {
                affinity: affinity(settings.affinity),
                requests: quantities(&settings.chaincode_requests),
                limits: quantities(&settings.chaincode_limits),
                tmp: settings.chaincode_tmp.clone(),
                launcher_image: builds.launcher_image().to_owned(),
                pull_secrets: Vec::new(),
            },
            builds,
        })
    }

    /// What the settings say of pods in a place: a Secret is good in its own namespace alone.
    fn shape(&self, ground: &Ground) -> PodShape {
        PodShape { pull_secrets: self.builds.pull_secrets(ground), ..self.shape.clone() }
    }
}

fn identity(ground: &Ground, package_id: &str, msp_id: &str) -> Identity {
    Identity::new(&ground.namespace, package_id, msp_id, &ground.peer)
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
        let ground = &self.places.first().ground;
        (ground.pod.ip, ProxyHost::Name(identity(ground, package_id, msp_id).host()))
    }

    async fn start(&self, workload: Workload) -> Result<Box<dyn Replicas>, StartError> {
        let namespace = workload.namespace.as_deref();
        let place =
            self.places.within(namespace).map_err(|error| StartError::Place(error.into()))?;
        let identity = identity(&place.ground, &workload.package_id, &workload.msp_id)
            .within(Slot::of(workload.set));
        let adoption = place.adopted.adopt(&identity.name).await;
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
            shape: self.shape(&place.ground),
            place,
            adoption,
            identity,
            set: workload.set,
            image: format!("{}@{}", workload.image.name, workload.image.digest),
            plan,
            credentials: Sha256::of(workload.credentials.certificate.as_bytes()).hex(),
            proxy: workload.proxy,
        })))
    }

    async fn close(&self) {
        tokio::join!(self.builds.close(), self.places.release());
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
