//! Runs chaincode as processes of this machine: a laptop needs neither Kubernetes nor Docker.

mod build;
mod collection;
mod compile;
pub(crate) mod confinement;
mod examination;
mod given;
mod guard;
mod machine;
mod mirrored;
mod named;
mod passage;
mod pool;
mod process;
mod replica;
pub(crate) mod restraint;
pub(crate) mod rooted;
mod search_path;
mod started;
mod supervise;
mod telling;
mod tool_files;
mod tools;

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{
    Base, BaseError, Form, ImagePlan, Layout, LayoutError, Origin, Part, Tag, assemble,
    ca_bundle_path, sha256, validate,
};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::named_image::NamedImage;
use selvedge_buildpack::platform::{Platform, UnsupportedPlatform};
use selvedge_config::Execution;
use selvedge_proto::launcher::ImageReference;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::backend::{
    Backend, BuildError, Kept, Replicas, Sighting, StartError, Unrunnable, Workload,
};
use crate::caller::Caller;
use crate::certificates::ProxyHost;
use crate::configuration::Configuration;
use crate::data::DataDirectory;
use crate::error_chain::one_line;
use crate::examination::Finding;
use crate::image_reference::image_reference;
use crate::removal;
use crate::seats::Patience;
use crate::settings::Place;
use crate::source::StagedSource;
use collection::Collection;
use confinement::Confinement;
use named::{ImageRoot, NamedImages};
use pool::Pool;
use replica::Unpacked;
use started::Start;
use supervise::Supervised;
use tools::Tools;

/// The repository that local images are named after; nothing is pulled from it.
const REPOSITORY: &str = "localhost/selvedge/chaincode";

/// What a peer is called that nobody named.
const PEER: &str = "peer";

/// Why the backend cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error("cannot keep images")]
    Images(#[from] LayoutError),
    #[error(
        "cannot make directories for the tools of {language} in {}; choose another with --tools-dir",
        place.display()
    )]
    Tools { language: Language, place: PathBuf, source: io::Error },
    #[error("cannot make the images' base")]
    Base(#[from] BaseError),
    #[error(transparent)]
    Platform(#[from] UnsupportedPlatform),
}

/// The `local` backend.
pub(crate) struct LocalBackend {
    data: DataDirectory,
    images: Layout,
    collection: Arc<Collection>,
    base: Base,
    tools: Vec<Tools>,
    platform: Platform,
    configuration: Configuration,
    peer: String,
    named: NamedImages,
    confinement: Confinement,
    /// One build at a time: they share this machine's cores, and a second request
    /// for the same source then finds the first one's image.
    turn: Arc<Semaphore>,
}

impl LocalBackend {
    /// Opens the image store in the data directory; tools keep what they keep below `tools`.
    pub(crate) fn open(
        place: &Place,
        configuration: &Configuration,
        data: &DataDirectory,
        tools: &Path,
        confinement: Confinement,
    ) -> Result<Self, LocalError> {
        let certificates = ca_bundle_path(std::env::var_os("SSL_CERT_FILE"))?;
        let images = store(&data.images())?;
        // Nobody else adds to it: what lies there was left by a launcher that was killed.
        if let Err(error) = removal::clear(&images.scratch()) {
            warn!(%error, "cannot remove all that interrupted builds left");
        }
        let limit = configuration.now().builds().images_limit.as_u64();
        let collection = Collection::new(images.clone(), limit);
        collection.collect(None);
        let (collection, turn) = (Arc::new(collection), Arc::new(Semaphore::new(1)));
        let platform = Platform::host()?;
        let named = NamedImages {
            images: images.clone(),
            collection: Arc::clone(&collection),
            turn: Arc::clone(&turn),
            configuration: configuration.clone(),
            data: data.clone(),
            platform,
        };
        Ok(Self {
            images,
            collection,
            named,
            confinement,
            turn,
            platform,
            base: Base::open(&certificates)?,
            tools: all_tools(tools)?,
            data: data.clone(),
            configuration: configuration.clone(),
            peer: place.peer_name.clone().unwrap_or_else(|| PEER.to_owned()),
        })
    }

    /// The image under the tag, if all of it is there and sound, and it says of itself that it was
    /// made of this source: chaincode can write in the store, and give another's tag to its own.
    async fn known(&self, tag: &Tag, source: Sha256, form: Form) -> Option<Descriptor> {
        let found = self.images.find_tag(tag).ok().flatten()?;
        if !self.is_sound(sha256(&found)?).await {
            return None;
        }
        let base = self.base.diff_id().ok()?;
        let origin = Origin { base, source, form, platform: self.platform };
        if origin.made(&self.images, &found).unwrap_or(false) {
            return Some(found);
        }
        warn!(digest = %found.digest(), "another image has this source's tag, it is built anew");
        None
    }

    /// Whether all of the image is there as it was made. Who asks is about to use it.
    async fn is_sound(&self, digest: Sha256) -> bool {
        let images = self.images.clone();
        let judged = move || {
            // What that means for one that is not there, the judge says.
            let _ = images.touch(digest);
            validate(&images, digest)
        };
        let faults = spawn_blocking(judged).await;
        match faults {
            Ok(Ok(faults)) if faults.is_empty() => true,
            Ok(Ok(faults)) => {
                warn!(%digest, fault = %faults[0], faults = faults.len(), "image is damaged");
                false
            }
            Ok(Err(error)) => {
                warn!(error = one_line(&error), "the image store cannot be read");
                false
            }
            Err(_) => false,
        }
    }

    async fn assemble(
        &self,
        form: Form,
        parts: Vec<Part>,
        source: Sha256,
        tag: &Tag,
    ) -> Result<Descriptor, BuildError> {
        let (images, base, platform) = (self.images.clone(), self.base.clone(), self.platform);
        let collection = Arc::clone(&self.collection);
        let tag = tag.clone();
        let assembled = spawn_blocking(move || {
            let plan = ImagePlan { base: &base, form: &form, parts: &parts, source, platform };
            let image = assemble(&plan, &images.scratch()).map_err(boxed)?;
            let image = images.add(image, &tag).map_err(boxed)?;
            collection.collect(sha256(&image));
            Ok(image)
        });
        assembled.await.map_err(boxed).and_then(|image| image).map_err(BuildError::Image)
    }
}

#[async_trait]
impl Backend for LocalBackend {
    async fn build(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        self.image_of(source, limit, log).await
    }

    async fn holds(&self, image: &ImageReference) -> bool {
        match image.digest.parse() {
            Ok(digest) => self.is_sound(digest).await,
            Err(_) => false,
        }
    }

    /// Fetches it: once nobody can be asked for it any more, it runs all the same.
    async fn find(&self, image: &NamedImage) -> Result<Sighting, Unrunnable> {
        self.named.has_roots(image).await?;
        self.named.fetched(image).await.map(|_| Sighting::Seen(None))
    }

    async fn bring(&self, image: &NamedImage) -> Result<(), Unrunnable> {
        self.named.fetched(image).await.map(drop)
    }

    fn keep(&self, image: &ImageReference) -> Kept {
        // One without a digest is none of ours.
        image.digest.parse().map_or_else(|_| Kept::default(), |digest| self.collection.keep(digest))
    }

    fn peer(&self) -> &str {
        &self.peer
    }

    fn unconfined(&self) -> &[String] {
        self.confinement.lacking()
    }

    async fn examine(&self) -> Vec<Finding> {
        examination::examine(&self.confinement, &self.tools, self.data.path()).await
    }

    fn proxy_host(
        &self,
        _package_id: &str,
        _msp_id: &str,
        _caller: &Caller,
    ) -> (IpAddr, ProxyHost) {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        (loopback, ProxyHost::Address(loopback))
    }

    async fn start(&self, workload: Workload) -> Result<Box<dyn Replicas>, StartError> {
        match workload.settings.execution() {
            Execution::Service { .. } => {
                let starts = self.seats(&workload).await?;
                let drain = workload.settings.timeouts.drain.duration();
                Ok(Box::new(Supervised::start(starts, workload.replicas, drain)?))
            }
            Execution::Function(function) => {
                let starts = self.seats(&workload).await?;
                let patience = Patience {
                    start: workload.settings.timeouts.start.duration(),
                    call: function.wait.duration(),
                };
                Ok(Box::new(Pool::open(starts, patience)))
            }
        }
    }
}

impl LocalBackend {
    /// What starts a replica in each seat.
    async fn seats(&self, workload: &Workload) -> Result<Vec<Start>, StartError> {
        let seats = workload.credentials.seats.iter().enumerate();
        let temporary = || self.data.temporary("replica").map_err(StartError::Files);
        if let Some(root) = self.root(workload).await? {
            let start =
                |(_, credentials)| named::prepare(&root, workload, credentials, temporary()?);
            return seats.map(start).collect();
        }
        let unpacked = Unpacked::of(&self.images, &workload.image.digest, temporary()?).await?;
        let confinement = &self.confinement;
        let start =
            |(seat, credentials)| unpacked.at_seat(workload, credentials, seat, confinement);
        seats.map(start).collect()
    }

    /// The root that processes of an image have in which somebody else has one in mind, with a shell
    /// or an interpreter in it (fabric-builder-k8s `samples`).
    async fn root(&self, workload: &Workload) -> Result<Option<Arc<ImageRoot>>, StartError> {
        match workload.content {
            PackageContent::Image => Ok(Some(Arc::new(self.named.laid_out(workload).await?))),
            PackageContent::Code(_) => Ok(None),
        }
    }
}

/// Each language's tools in the launcher's PATH.
fn all_tools(place: &Path) -> Result<Vec<Tools>, LocalError> {
    let of = |language| {
        let failed = |source| LocalError::Tools { language, place: place.to_owned(), source };
        Tools::of(language, place).map_err(failed)
    };
    Language::ALL.into_iter().map(of).collect()
}

/// Opens the image store, or begins one anew in the place of one that cannot be used: chaincode can
/// write in it, and must keep no launcher from starting. Images are built again.
fn store(root: &Path) -> Result<Layout, LayoutError> {
    let opened = Layout::create(root).and_then(|images| images.images().map(|_| images));
    opened.or_else(|error| {
        warn!(error = one_line(&error), "the image store cannot be used, and is begun anew");
        if let Err(error) = removal::remove(root) {
            warn!(%error, "cannot remove all of the image store");
        }
        Layout::create(root)
    })
}

fn reference(image: &Descriptor, form: &Form) -> ImageReference {
    image_reference(REPOSITORY.into(), image.digest().to_string(), Some(form.command()))
}

fn boxed(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    error.into()
}

#[cfg(test)]
mod tests;
