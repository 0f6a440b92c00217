//! Runs chaincode as Deployments of a Kubernetes cluster, on its peer's node.

mod adopted;
mod build;
mod controller;
mod departed;
mod dispute;
mod event_notes;
mod examination;
mod failure;
mod followed_logs;
mod function;
mod ground;
mod hindrance;
mod keeper_stream;
mod kept;
mod lease;
mod leavers;
mod listeners;
#[cfg(test)]
mod mock;
mod narrative;
mod objects;
mod observed;
mod order;
mod place;
mod places;
mod pod_addresses;
mod pod_log;
mod pod_presence;
mod replacement;
mod replicas;
mod run;
#[cfg(test)]
mod scene;
mod sweep;
mod trouble;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::named_image::NamedImage;
use selvedge_manifest::{Identity, LaunchPlan, LaunchTarget, PROXY_PORT, Slot};
use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tracing::info;

use self::build::{Builds, BuildsError};
use self::ground::{Ground, GroundError};
use self::order::Order;
use self::places::Places;
use self::replicas::ClusterReplicas;
use crate::backend::{
    Backend, BuildError, Kept, Replicas, Sighting, StartError, Unrunnable, Workload,
};
use crate::caller::Caller;
use crate::certificates::ProxyHost;
use crate::configuration::Configuration;
use crate::data::{DataDirectory, DataError};
use crate::estate::Estate;
use crate::examination::Finding;
use crate::image_reference::command_of;
use crate::settings;
use crate::source::StagedSource;

/// Why the backend cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubernetesError {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Builds(#[from] BuildsError),
    #[error(transparent)]
    Data(#[from] DataError),
}

/// The `kubernetes` backend.
pub(crate) struct KubernetesBackend {
    places: Places,
    builds: Builds,
    estate: Estate,
}

impl KubernetesBackend {
    /// Finds the cluster and the launcher's own place in it, and starts to watch.
    pub(crate) async fn open(
        place: &settings::Place,
        configuration: Configuration,
        data: &DataDirectory,
    ) -> Result<Self, KubernetesError> {
        let namespace = configuration.now().defaults().namespace.clone();
        let ground = Arc::new(Ground::survey(place, namespace).await?);
        info!(
            peer = ground.peer,
            node = ground.pod.peer.node,
            namespace = ground.namespace,
            "chaincode runs in Kubernetes"
        );
        let estate = Estate::open(data.estate()?);
        let builds = Builds::open(configuration.clone(), Arc::clone(&ground), data).await?;
        let operator = configuration.now();
        let home = ground.home.clone();
        let places = Places::new(ground, configuration);
        // What an earlier launcher left there waits for no call to be looked after.
        for variant in operator.variants() {
            places.within(variant.chaincode().namespace.as_ref().unwrap_or(&home));
        }
        Ok(Self { places, builds, estate })
    }
}

fn identity(ground: &Ground, package_id: &str, msp_id: &str, caller: &Caller) -> Identity {
    let identity = Identity::new(&ground.namespace, package_id, msp_id, &ground.peer);
    match caller.name() {
        None => identity,
        Some(peer) => identity.apart(peer),
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

    async fn find(&self, image: &NamedImage) -> Result<Sighting, Unrunnable> {
        self.builds.find(image).await
    }

    fn keep(&self, image: &ImageReference) -> Kept {
        self.builds.keep(image)
    }

    fn peer(&self) -> &str {
        self.places.first().ground.peer_name()
    }

    fn proxy_host(&self, package_id: &str, msp_id: &str, caller: &Caller) -> (IpAddr, ProxyHost) {
        let ground = &self.places.first().ground;
        (ground.pod.ip, ProxyHost::Name(identity(ground, package_id, msp_id, caller).host()))
    }

    async fn start(&self, workload: Workload) -> Result<Box<dyn Replicas>, StartError> {
        let home = &self.places.first().ground.home;
        let place = self.places.within(workload.settings.namespace.as_ref().unwrap_or(home));
        let Workload { package_id, msp_id, caller, .. } = &workload;
        let identity = identity(&place.ground, package_id, msp_id, caller);
        let identity = identity.within(Slot::of(workload.set));
        let adoption = place.adopted.adopt(&identity.name).await;
        let plan = LaunchPlan::in_pod(
            &LaunchTarget {
                content: workload.content,
                shim: workload.shim,
                package_id: &workload.package_id,
                msp_id: &workload.msp_id,
                address: &format!("{}:{PROXY_PORT}", identity.host()),
                root: "",
            },
            &workload.credentials.shared,
            workload.proxy.ip(),
        );
        let order = Order {
            launcher_image: self.builds.launcher_image().to_owned(),
            pull_secrets: self.builds.pull_secrets(&place.ground.namespace),
            pull_login: self.builds.pull_login(),
            settings: workload.settings,
            replicas: workload.replicas,
            place,
            adoption,
            identity,
            beginning: workload.beginning,
            image: self.builds.pulled(workload.content, &workload.image),
            command: command_of(&workload.image),
            plan,
            credentials: Sha256::of(workload.credentials.shared.certificate.as_bytes()).hex(),
            proxy: workload.proxy,
        };
        order.fits().map_err(|unfit| StartError::Unfit(unfit.into()))?;
        Ok(Box::new(ClusterReplicas::start(order)))
    }

    fn estate(&self) -> Option<&Estate> {
        Some(&self.estate)
    }

    async fn examine(&self) -> Vec<Finding> {
        let ground = &self.places.first().ground;
        let own = &ground.pod.peer.namespace;
        let mut found = examination::examine(&ground.client, &self.places.namespaces(), own).await;
        found.extend(self.builds.examine().await);
        found
    }

    async fn close(&self) {
        tokio::join!(self.builds.close(), self.places.release());
    }
}
