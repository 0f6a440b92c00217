//! What the builds of one launcher have in common.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use selvedge_buildpack::image::{Base, ca_bundle_path};
use selvedge_buildpack::platform::Platform;
use selvedge_manifest::PullLogin;
use selvedge_proto::launcher::ImageReference;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::super::ground::Ground;
use super::error::BuildsError;
use super::handover::Handover;
use super::orphans;
use super::said::Said;
use super::served::Served;
use super::surroundings::{OwnImage, api_server, name_servers, warn_of_public_pods};
use super::turns::Turns;
use crate::backend::Kept;
use crate::configuration::Configuration;
use crate::data::DataDirectory;

/// The builds of one launcher.
pub(crate) struct Builds {
    pub(super) ground: Arc<Ground>,
    pub(super) configuration: Configuration,
    pub(super) launcher_image: String,
    pub(super) own: OwnImage,
    pub(super) certificates: Bytes,
    pub(super) base: Base,
    pub(super) platform: Platform,
    pub(super) handover: Handover,
    /// The registry for who has no other.
    pub(super) served: Option<Served>,
    pub(super) api_server: Vec<IpAddr>,
    pub(super) name_servers: Vec<IpAddr>,
    pub(super) data: DataDirectory,
    pub(super) turns: Turns,
    /// Fires when the launcher takes no more builds, and ends those there are.
    pub(super) closing: CancellationToken,
    /// What is to be waited for at the launcher's end: builds, and the deletions of their Jobs.
    pub(super) ends: TaskTracker,
    pub(super) _sweeper: AbortOnDropHandle<()>,
}

impl Builds {
    /// Opens the port for the pods of builds, and finds out what they are made from.
    pub(crate) async fn open(
        configuration: Configuration,
        ground: Arc<Ground>,
        data: &DataDirectory,
    ) -> Result<Self, BuildsError> {
        let operator = configuration.now();
        let served = match &operator.registry().serve {
            Some(serve) => Some(Served::open(serve, data, ground.pod.everywhere()).await?),
            None => None,
        };
        let Said { builds, .. } = Said::of(&operator, served.as_ref().map(Served::repository))?;
        let bundle = ca_bundle_path(std::env::var_os("SSL_CERT_FILE"))?;
        let base = Base::open(&bundle)?;
        let certificates = std::fs::read(&bundle)
            .map_err(|source| BuildsError::Certificates { path: bundle, source })?;
        let address = SocketAddr::new(ground.pod.everywhere(), builds.port);
        let handover = Handover::open(address)
            .await
            .map_err(|source| BuildsError::Listen { address, source })?;
        warn_of_public_pods(&ground);
        let own = OwnImage::read(&ground).await?;
        own.warn_of_another_namespace(&ground.namespace);
        let launcher_image = builds.launcher_image.or_else(|| own.name.clone());
        let launcher_image =
            launcher_image.ok_or_else(|| BuildsError::NoOwnImage(ground.pod.name.clone()))?;
        Ok(Self {
            configuration,
            launcher_image,
            own,
            certificates: certificates.into(),
            base,
            platform: Platform::host()?,
            handover,
            served,
            api_server: api_server(&ground).await,
            name_servers: name_servers(),
            data: data.clone(),
            turns: Turns::default(),
            closing: CancellationToken::new(),
            ends: TaskTracker::new(),
            _sweeper: AbortOnDropHandle::new(tokio::spawn(orphans::sweep(Arc::clone(&ground)))),
            ground,
        })
    }

    /// The launcher's own image.
    pub(crate) fn launcher_image(&self) -> &str {
        &self.launcher_image
    }

    /// The Secrets that nodes pull that and the chaincodes' images with, in a namespace.
    pub(crate) fn pull_secrets(&self, namespace: &str) -> Vec<String> {
        let of_registry = self.configuration.now().registry().secret.clone();
        self.own.pull_secrets(namespace, of_registry.as_deref())
    }

    /// By what nodes pull from the registry that is served here.
    pub(crate) fn pull_login(&self) -> Option<PullLogin> {
        self.served.as_ref().map(Served::login)
    }

    /// Keeps an image that is served here for as long as what is returned lives.
    pub(crate) fn keep(&self, image: &ImageReference) -> Kept {
        let digest = image.digest.parse().ok();
        let served = self.served_as(&image.name);
        Kept { _token: served.zip(digest).map(|(served, digest)| served.need(digest)) }
    }

    /// What the operator's file says now.
    pub(super) fn said(&self) -> Result<Said, BuildsError> {
        let served = self.served.as_ref().map(Served::repository);
        Said::of(&self.configuration.now(), served)
    }
}
