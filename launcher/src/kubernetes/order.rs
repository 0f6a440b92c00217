//! What one run in the cluster needs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use selvedge_buildpack::image::ImageCommand;
use selvedge_config::Chaincode;
use selvedge_manifest::{Blueprint, Identity, LaunchPlan, PullLogin, Unfit};

use super::adopted::Adoption;
use super::place::Place;
use crate::backend::Beginning;

/// What one run needs.
pub(crate) struct Order {
    pub(crate) place: Place,
    /// Keeps the sweeper from the run's objects.
    pub(crate) adoption: Adoption,
    pub(crate) identity: Identity,
    /// What this set of replicas begins as.
    pub(crate) beginning: Beginning,
    pub(crate) image: String,
    /// What it has a container run, where that is known: a keeper starts it.
    pub(crate) command: Option<ImageCommand>,
    pub(crate) plan: LaunchPlan,
    pub(crate) credentials: String,
    pub(crate) proxy: SocketAddr,
    pub(crate) settings: Arc<Chaincode>,
    /// How many replicas there are to be from the beginning, if it is no function.
    pub(crate) replicas: usize,
    pub(crate) launcher_image: String,
    pub(crate) pull_secrets: Vec<String>,
    /// By what nodes pull from the registry that the launcher serves.
    pub(crate) pull_login: Option<PullLogin>,
}

impl Order {
    /// What its objects are made from: those of so many pods, which have that number.
    pub(super) fn blueprint<'a>(
        &'a self,
        generation: u32,
        pods: u16,
        owner: Option<&'a OwnerReference>,
    ) -> Blueprint<'a> {
        Blueprint {
            identity: &self.identity,
            image: &self.image,
            command: self.command.as_ref(),
            plan: &self.plan,
            credentials: &self.credentials,
            generation,
            proxy: self.proxy,
            peer: &self.place.ground.pod.peer,
            settings: &self.settings,
            pods,
            launcher_image: &self.launcher_image,
            pull_secrets: &self.pull_secrets,
            pull_login: self.pull_login.as_ref(),
            owner,
        }
    }

    /// Whether a function can be made of it, if it is to be one: who launches it is told at once if
    /// not. At rest it would not show.
    pub(super) fn fits(&self) -> Result<(), Unfit> {
        if self.settings.function().is_none() {
            return Ok(());
        }
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self.blueprint(1, 0, None).deployment(&OwnerReference::default(), nowhere).map(drop)
    }
}
