//! Chaincode built by Jobs in the cluster: compiled there, judged here, pushed from here.
//!
//! A build gets no credential at all, neither the cluster's nor the registry's. It gets an
//! address in this launcher (`build/exchange.rs`) that is good for the source of one package and
//! for leaving one image, and the image is pushed, by the launcher and to the one repository,
//! only if it is what that source makes (`build/judge.rs`).

mod exchange;
mod job;
mod judge;
mod manifest;
mod settings;
#[cfg(test)]
mod tests;
mod turns;
mod verdict;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, ResourceExt};
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::golang::{GoBuild, GoModule, GoPath};
use selvedge_buildpack::image::{
    Base, BaseError, BuildKey, BuildKeyInputs, Origin, ca_bundle_path,
};
use selvedge_buildpack::platform::{Platform, UnsupportedPlatform};
use selvedge_buildpack::source::SourceError;
use selvedge_proto::launcher::ImageReference;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use super::failure::{ApiFailure, call};
use super::ground::Ground;
use crate::backend::BuildError;
use crate::build_job::Outcome;
use crate::data::DataDirectory;
use crate::error_chain::one_line;
use crate::registry::{CredentialsError, DockerConfig, Registry, RegistryError, Repository};
use crate::source::{Language, StagedSource};

use exchange::{Exchange, Offer, Ticket};
use job::{Begun, BuildJobHandle, FollowError, begin};
use judge::{Rejected, judge};
use manifest::BuildOrder;
pub(crate) use settings::BuildSettings;
use turns::Turns;
use verdict::JobFailure;

/// The container of the launcher in its own pod, whose image builds take the launcher from.
const OWN_CONTAINER: &str = "launcher";

/// The key of a `kubernetes.io/dockerconfigjson` Secret.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// How often a build is begun anew that another launcher's failure ended.
const ATTEMPTS: usize = 3;

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
}

/// The builds of one launcher.
pub(crate) struct Builds {
    ground: Arc<Ground>,
    settings: BuildSettings,
    repository: Repository,
    launcher_image: String,
    certificates: Bytes,
    base: Base,
    platform: Platform,
    exchange: Exchange,
    api_server: Vec<IpAddr>,
    data: DataDirectory,
    turns: Turns,
}

/// What one build is about.
struct Wanted<'a> {
    source: &'a StagedSource,
    digest: Sha256,
    key: BuildKey,
    limit: Duration,
    registry: Registry,
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
        let launcher_image = match &settings.launcher_image {
            Some(image) => image.clone(),
            None => own_image(&ground).await?,
        };
        Ok(Self {
            repository,
            launcher_image,
            certificates: certificates.into(),
            base,
            platform: Platform::host()?,
            exchange,
            api_server: api_server(&ground).await,
            data: data.clone(),
            turns: Turns::default(),
            ground,
            settings: settings.clone(),
        })
    }

    /// The launcher's own image.
    pub(crate) fn launcher_image(&self) -> &str {
        &self.launcher_image
    }

    /// Turns a source into an image in the registry, or finds the one that it was turned into
    /// before, by whomever.
    pub(crate) async fn build(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        let (digest, key) = self.key(source)?;
        let _turn = self.turns.take(key).await;
        let build = async {
            let registry = self.registry().await?;
            let wanted = Wanted { source, digest, key, limit, registry };
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
    fn key(&self, source: &StagedSource) -> Result<(Sha256, BuildKey), BuildError> {
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
            toolchain: &self.settings.go_image,
            base,
            platform: self.platform,
        });
        Ok((digest, key))
    }

    async fn image(
        &self,
        wanted: &Wanted<'_>,
        log: &mpsc::Sender<String>,
    ) -> Result<Sha256, ClusterBuildError> {
        for _ in 0..ATTEMPTS {
            if let Some(image) = wanted.registry.find(&wanted.key.tag()).await? {
                info!(digest = %image, "the image of this source is there already");
                return Ok(image);
            }
            let attempt = attempt_name().map_err(ClusterBuildError::Offer)?;
            let order = self.order(wanted, &attempt);
            match begin(&self.ground, &order).await? {
                Begun::Ours(job) => return self.make(&order, job, wanted, log).await,
                Begun::There(job) => Box::pin(self.wait_for(job, log)).await?,
            }
        }
        Err(ClusterBuildError::Unlucky)
    }

    /// Sees a Job through that this launcher began.
    async fn make(
        &self,
        order: &BuildOrder<'_>,
        job: BuildJobHandle<'_>,
        wanted: &Wanted<'_>,
        log: &mpsc::Sender<String>,
    ) -> Result<Sha256, ClusterBuildError> {
        let abandon = job.abandon();
        let files = self.data.temporary("build").map_err(ClusterBuildError::Offer)?;
        let mut ticket = self.offer(wanted, &files).await?;
        let launcher = SocketAddr::new(self.ground.pod.ip, self.exchange.port());
        let url = format!("http://{launcher}{}", ticket.path());
        job.release(order, &url, launcher, &self.api_server).await?;
        let began = format!("compiling with {} in the Job {}", self.settings.go_image, job.name());
        let _ = log.send(began).await;

        let mut taken = None;
        let outcome = {
            let mut taking = pin!(self.take(&mut ticket, &files, wanted));
            let mut following = pin!(job.follow(log));
            loop {
                tokio::select! {
                    image = &mut taking, if taken.is_none() => taken = Some(image),
                    outcome = &mut following => break outcome,
                }
            }
        };
        if has_ended(&outcome) {
            abandon.disarm();
        }
        match (outcome, taken) {
            // Why the image was not taken is the cause of whatever the Job says.
            (_, Some(Err(error))) => Err(error),
            (Ok(Outcome::Image(said)), Some(Ok(left))) if said == left => Ok(left),
            (Ok(Outcome::Image(said)), Some(Ok(left))) => {
                Err(ClusterBuildError::Tampered { left, said })
            }
            (Ok(_), _) => Err(ClusterBuildError::NothingLeft),
            (Err(FollowError::Job(failure)), _) => Err(failure.into()),
            (Err(FollowError::Api(failure)), _) => Err(failure.into()),
        }
    }

    /// Sees a Job to its end that was there before; what came of it is in the registry, or the
    /// Job is out of the way. Only what the source itself is to blame for is an error: another
    /// launcher's trouble need not be this one's.
    async fn wait_for(
        &self,
        job: BuildJobHandle<'_>,
        log: &mpsc::Sender<String>,
    ) -> Result<(), ClusterBuildError> {
        // One that this launcher began and does not know any more has nobody to hand its image to.
        let is_orphan = job.begun_by() == Some(self.ground.pod.uid.as_str());
        if job.is_open() && !is_orphan {
            let line =
                format!("another peer builds this already: waiting for its Job {}", job.name());
            info!(job = job.name(), "another launcher builds this source");
            let _ = log.send(line).await;
            match job.follow(log).await {
                Ok(_) => return Ok(()),
                Err(FollowError::Job(failure @ JobFailure::Compile(_))) => {
                    return Err(failure.into());
                }
                Err(FollowError::Job(failure)) => {
                    let line = format!("that build brought no image ({failure}): building here");
                    let _ = log.send(line).await;
                }
                Err(FollowError::Api(failure)) => return Err(failure.into()),
            }
        }
        Ok(job.delete().await?)
    }

    /// Takes the image that the build leaves, and pushes it.
    async fn take(
        &self,
        ticket: &mut Ticket,
        files: &TempDir,
        wanted: &Wanted<'_>,
    ) -> Result<Sha256, ClusterBuildError> {
        let upload = ticket.upload().await;
        let pushed = self.judge_and_push(files.path(), wanted).await;
        upload.answer(pushed.as_ref().map(drop).map_err(|error| one_line(error)));
        pushed
    }

    async fn judge_and_push(
        &self,
        files: &Path,
        wanted: &Wanted<'_>,
    ) -> Result<Sha256, ClusterBuildError> {
        let base = self.base.diff_id().map_err(ClusterBuildError::Offer)?;
        let origin = Origin { base, source: wanted.digest, platform: self.platform };
        let (upload, target) = (upload_path(files), files.join("image"));
        let judged = spawn_blocking(move || judge(&upload, &target, origin)).await;
        let (images, image) = judged.map_err(|error| ClusterBuildError::Offer(error.into()))??;
        wanted.registry.push(&images, &image, &wanted.key.tag()).await?;
        selvedge_buildpack::image::sha256(&image).ok_or(ClusterBuildError::NothingLeft)
    }

    async fn offer(
        &self,
        wanted: &Wanted<'_>,
        files: &TempDir,
    ) -> Result<Ticket, ClusterBuildError> {
        let tar = files.path().join("source.tar");
        let (source, target) = (wanted.source.source.clone(), tar.clone());
        let written = spawn_blocking(move || {
            let file = std::fs::File::create_new(target).map_err(ClusterBuildError::Offer)?;
            Ok(source.write_tar(file)?)
        });
        let written: Result<Sha256, ClusterBuildError> =
            written.await.map_err(|error| ClusterBuildError::Offer(error.into()))?;
        written?;
        let offer = Offer {
            certificates: self.certificates.clone(),
            source: tar,
            upload: upload_path(files.path()),
        };
        self.exchange.offer(offer).map_err(ClusterBuildError::Offer)
    }

    fn order<'a>(&'a self, wanted: &'a Wanted<'_>, attempt: &'a str) -> BuildOrder<'a> {
        BuildOrder {
            namespace: &self.ground.namespace,
            key: wanted.key,
            source: wanted.digest,
            certificates: Sha256::of(&self.certificates),
            path: &wanted.source.path,
            platform: self.platform,
            launcher_image: &self.launcher_image,
            begun_by: &self.ground.pod.uid,
            attempt,
            pull_secret: self.settings.pull_secret(),
            limit: wanted.limit.as_secs(),
            settings: &self.settings,
        }
    }

    /// The repository, with the credentials that the Secret has now.
    async fn registry(&self) -> Result<Registry, ClusterBuildError> {
        let settings = &self.settings.registry;
        let auth = match &settings.registry_secret {
            Some(name) => self.credentials(name).await?,
            None => RegistryAuth::Anonymous,
        };
        Ok(Registry::new(&self.repository, settings.registry_plain_http, auth)?)
    }

    async fn credentials(&self, name: &str) -> Result<RegistryAuth, ClusterBuildError> {
        let namespace = self.ground.namespace.clone();
        let act = format!("read the Secret {name}");
        let secret: Secret = call(&act, self.ground.api().get(name)).await?;
        let name = name.to_owned();
        let Some(json) = secret.data.as_ref().and_then(|data| data.get(DOCKER_CONFIG)) else {
            return Err(ClusterBuildError::NotDockerConfig { namespace, name });
        };
        DockerConfig::parse(&json.0)
            .and_then(|config| config.for_registry(self.repository.registry()))
            .map_err(|source| ClusterBuildError::Credentials { namespace, name, source })
    }

    fn reference(&self, image: Sha256) -> ImageReference {
        ImageReference { name: self.repository.to_string(), digest: image.to_string() }
    }
}

/// The image of the launcher's own container.
async fn own_image(ground: &Ground) -> Result<String, BuildsError> {
    let pods: Api<Pod> = Api::namespaced(ground.client.clone(), &ground.pod.namespace);
    let pod = call("read its own pod", pods.get(&ground.pod.name)).await?;
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| spec.containers.iter()).into_iter().flatten();
    // A sidecar is an init container that stays.
    let sidecars = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    containers
        .chain(sidecars)
        .find(|container| container.name == OWN_CONTAINER)
        .and_then(|container| container.image.clone())
        .ok_or_else(|| BuildsError::NoOwnImage(pod.name_any()))
}

/// Whether nothing of the Job goes on; Kubernetes clears it away.
fn has_ended(outcome: &Result<Outcome, FollowError>) -> bool {
    use JobFailure::{CannotStart, NoPod};
    !matches!(
        outcome,
        Err(FollowError::Api(_) | FollowError::Job(CannotStart { .. } | NoPod { .. }))
    )
}

/// The addresses of the API server, to keep builds from them: the Service's, and those behind it,
/// which is what most engines of network policies see.
async fn api_server(ground: &Ground) -> Vec<IpAddr> {
    const SERVICE: &str = "kubernetes";
    let slices: Api<EndpointSlice> = Api::namespaced(ground.client.clone(), "default");
    let endpoints = match call("read the API server's addresses", slices.get(SERVICE)).await {
        Ok(slice) => slice.endpoints,
        Err(failure) => {
            warn!(
                reason = one_line(&failure),
                "builds may reach the API server, without a credential; name its addresses with \
                 --build-egress-except"
            );
            Vec::new()
        }
    };
    let service = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let addresses = endpoints.into_iter().flat_map(|endpoint| endpoint.addresses);
    addresses.chain(service).filter_map(|address| address.parse().ok()).collect()
}

fn upload_path(files: &Path) -> std::path::PathBuf {
    files.join("upload.tar")
}

/// A few random digits.
fn attempt_name() -> std::io::Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)?;
    Ok(format!("{:08x}", u32::from_be_bytes(random)))
}
