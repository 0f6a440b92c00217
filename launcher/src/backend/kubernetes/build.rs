//! Chaincode built by Jobs in the cluster: compiled there, judged here, pushed from here.
//!
//! A build gets no credential at all, neither the cluster's nor the registry's. It gets an
//! address in this launcher (`build/exchange.rs`) that is good for the source of one package and
//! for leaving one image, and the image is pushed, by the launcher and to the one repository,
//! only if it is what that source makes (`build/judge.rs`).

mod access;
mod custody;
mod exchange;
mod follow;
#[cfg(test)]
mod found_tests;
mod job;
mod job_log;
mod judge;
mod making;
mod manifest;
mod orphans;
mod others;
mod patience;
mod pulse;
mod reach;
mod settings;
mod surroundings;
#[cfg(test)]
mod tests;
mod toolchain;
mod turns;
mod verdict;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::golang::{GoBuild, GoModule, GoPath};
use selvedge_buildpack::image::{Base, BaseError, BuildKey, BuildKeyInputs, ca_bundle_path};
use selvedge_buildpack::platform::{Platform, UnsupportedPlatform};
use selvedge_buildpack::source::SourceError;
use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::warn;

use super::failure::ApiFailure;
use super::ground::Ground;
use crate::backend::BuildError;
use crate::data::DataDirectory;
use crate::error_chain::one_line;
use crate::registry::{CredentialsError, RegistryError, Repository};
use crate::source::{Language, StagedSource};

use exchange::Exchange;
use follow::FollowError;
use judge::Rejected;
use making::{ATTEMPTS, Wanted};
pub(crate) use settings::BuildSettings;
use surroundings::{OwnImage, api_server, name_servers, warn_of_public_pods};
use toolchain::Toolchain;
use turns::Turns;
use verdict::JobFailure;

/// What ending all builds may take: a pod has little more than that for everything.
const END: Duration = Duration::from_secs(5);

/// Why builds in the cluster cannot be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildsError {
    #[error("the kubernetes backend needs a registry: give --registry HOST[:PORT]/PREFIX")]
    NoRegistry,
    #[error("cannot make the images' base")]
    Base(#[from] BaseError),
    #[error(transparent)]
    Platform(#[from] UnsupportedPlatform),
    #[error("cannot read the CA certificates in {path}")]
    Certificates { path: std::path::PathBuf, source: std::io::Error },
    #[error("cannot listen for builds on {address}; choose another port with --build-port")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Api(#[from] ApiFailure),
    #[error(
        "cannot tell the launcher's own image: the pod {0} has no container `launcher`; give \
         --launcher-image"
    )]
    NoOwnImage(String),
}

/// Why a build in the cluster brought no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterBuildError {
    #[error(transparent)]
    Api(#[from] ApiFailure),
    #[error(transparent)]
    Job(#[from] JobFailure),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("there is no Secret {namespace}/{name} (--registry-secret)")]
    NoSecret { namespace: String, name: String },
    #[error("cannot use the Secret {namespace}/{name} (--registry-secret)")]
    Credentials { namespace: String, name: String, source: CredentialsError },
    #[error("the Secret {namespace}/{name} (--registry-secret) has no key .dockerconfigjson")]
    NotDockerConfig { namespace: String, name: String },
    #[error("what the build left was not taken")]
    Rejected(#[from] Rejected),
    #[error("the build left the image {left}, but its Job says {said}: was it tampered with?")]
    Tampered { left: Sha256, said: Sha256 },
    #[error("the build's Job ended well, but left no image")]
    NothingLeft,
    #[error("cannot offer the source to the build")]
    Offer(#[source] std::io::Error),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the build was ended {ATTEMPTS} times by what happened to other launchers")]
    Unlucky,
    #[error("the launcher is stopping")]
    Stopping,
}

impl From<FollowError> for ClusterBuildError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Job(failure) => failure.into(),
            FollowError::Api(failure) => failure.into(),
        }
    }
}

/// The builds of one launcher.
pub(crate) struct Builds {
    ground: Arc<Ground>,
    settings: BuildSettings,
    repository: Repository,
    launcher_image: String,
    pull_secrets: Vec<String>,
    certificates: Bytes,
    base: Base,
    platform: Platform,
    exchange: Exchange,
    api_server: Vec<IpAddr>,
    name_servers: Vec<IpAddr>,
    data: DataDirectory,
    turns: Turns,
    /// Fires when the launcher takes no more builds, and ends those there are.
    closing: CancellationToken,
    /// What is to be waited for at the launcher's end: builds, and the deletions of their Jobs.
    ends: TaskTracker,
    _sweeper: AbortOnDropHandle<()>,
}

impl Builds {
    /// Opens the port for the pods of builds, and finds out what they are made from.
    pub(crate) async fn open(
        settings: &BuildSettings,
        ground: Arc<Ground>,
        data: &DataDirectory,
    ) -> Result<Self, BuildsError> {
        let repository = settings.registry.registry.clone().ok_or(BuildsError::NoRegistry)?;
        let bundle = ca_bundle_path(std::env::var_os("SSL_CERT_FILE"))?;
        let base = Base::open(&bundle)?;
        let certificates = std::fs::read(&bundle)
            .map_err(|source| BuildsError::Certificates { path: bundle, source })?;
        let any: IpAddr = match ground.pod.ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let address = SocketAddr::new(any, settings.build_port);
        let exchange = Exchange::open(address)
            .await
            .map_err(|source| BuildsError::Listen { address, source })?;
        warn_of_public_pods(&ground);
        let own = OwnImage::read(&ground).await?;
        let pull_secrets = own.pull_secrets(&ground, settings.registry.registry_secret.as_deref());
        let launcher_image = settings.launcher_image.clone().or(own.name);
        let launcher_image =
            launcher_image.ok_or_else(|| BuildsError::NoOwnImage(ground.pod.name.clone()))?;
        Ok(Self {
            repository,
            launcher_image,
            pull_secrets,
            certificates: certificates.into(),
            base,
            platform: Platform::host()?,
            exchange,
            api_server: api_server(&ground).await,
            name_servers: name_servers(),
            data: data.clone(),
            turns: Turns::default(),
            closing: CancellationToken::new(),
            ends: TaskTracker::new(),
            _sweeper: AbortOnDropHandle::new(tokio::spawn(orphans::sweep(Arc::clone(&ground)))),
            ground,
            settings: settings.clone(),
        })
    }

    /// The launcher's own image.
    pub(crate) fn launcher_image(&self) -> &str {
        &self.launcher_image
    }

    /// The Secrets that nodes pull that and the chaincodes' images with.
    pub(crate) fn pull_secrets(&self) -> &[String] {
        &self.pull_secrets
    }

    /// Turns a source into an image in the registry, or finds the one that it was turned into
    /// before, by whomever.
    pub(crate) async fn build(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        // Counts until the build has been dropped, and with it its Job given up.
        let _underway = self.ends.token();
        let built = self.closing.run_until_cancelled(self.found_or_made(source, limit, log)).await;
        built.unwrap_or_else(|| Err(BuildError::Cluster(ClusterBuildError::Stopping.into())))
    }

    async fn found_or_made(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        let toolchain = self.toolchain(log).await;
        let (digest, key) = self.key(source, &toolchain)?;
        let _turn = self.turns.take(key).await;
        let build = async {
            let registry = self.registry().await?;
            let wanted = Wanted { source, digest, toolchain, key, limit, registry };
            // Boxed: the futures of the API's client are large.
            Box::pin(self.image(&wanted, log)).await
        };
        match timeout(limit, build).await {
            Ok(Ok(image)) => Ok(self.reference(image)),
            Ok(Err(ClusterBuildError::Job(JobFailure::Compile(lines)))) => {
                Err(BuildError::Compile(lines))
            }
            Ok(Err(ClusterBuildError::Job(JobFailure::Time))) | Err(_) => {
                Err(BuildError::TimedOut(limit.as_secs_f32()))
            }
            Ok(Err(error)) => Err(BuildError::Cluster(Box::new(error))),
        }
    }

    /// Ends the builds there are, and returns when their Jobs are deleted.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.ends.close();
        if timeout(END, self.ends.wait()).await.is_err() {
            warn!("builds could not be ended in time: another launcher will delete their Jobs");
        }
    }

    /// Whether nodes can be told to run the image. A registry that cannot be asked keeps nobody
    /// from running what a node may have: what is wrong then shows at the pod.
    pub(crate) async fn holds(&self, image: &ImageReference) -> bool {
        let Ok(digest) = image.digest.parse() else { return false };
        if image.name != self.repository.to_string() {
            return false;
        }
        let held = async { Ok(self.registry().await?.holds(digest).await?) };
        held.await.unwrap_or_else(|error: ClusterBuildError| {
            warn!(reason = one_line(&error), "cannot tell whether the registry has the image");
            true
        })
    }

    /// What decides the image: the digest of the source, and the key over that and all else.
    fn key(
        &self,
        source: &StagedSource,
        toolchain: &Toolchain,
    ) -> Result<(Sha256, BuildKey), BuildError> {
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| BuildError::Source(error);
        let Language::Golang = source.language;
        let path: GoPath = source.path.parse().map_err(|error| refused(Box::new(error)))?;
        let module = GoModule::find(&source.source.paths(), &path)
            .map_err(|error| refused(Box::new(error)))?;
        let plan = GoBuild::new(module, self.platform);
        let digest = source.source.digest().map_err(|error| refused(Box::new(error)))?;
        let base = self.base.diff_id().map_err(|error| BuildError::Image(error.into()))?;
        let key = BuildKey::new(&BuildKeyInputs {
            source: digest,
            recipe: &plan.recipe(),
            toolchain: &toolchain.identity,
            base,
            platform: self.platform,
        });
        Ok((digest, key))
    }

    fn reference(&self, image: Sha256) -> ImageReference {
        ImageReference { name: self.repository.to_string(), digest: image.to_string() }
    }
}
