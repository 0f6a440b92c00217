//! Runs chaincode as processes of this machine: a laptop needs neither Kubernetes nor Docker.

mod compile;
pub(crate) mod guard;
mod process;
mod replica;
mod supervise;

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::golang::{GoBuild, GoModule, GoPath, GoToolchain};
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{
    Base, BaseError, BuildKey, BuildKeyInputs, ImagePlan, Layout, LayoutError, Origin, Tag,
    assemble, ca_bundle_path, sha256, validate,
};
use selvedge_buildpack::platform::{Platform, UnsupportedPlatform};
use selvedge_proto::launcher::ImageReference;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::backend::{Backend, BuildError, Replicas, StartError, Workload};
use crate::certificates::ProxyHost;
use crate::data::DataDirectory;
use crate::removal;
use crate::source::{Language, StagedSource};

/// The repository that local images are named after; nothing is pulled from it.
const REPOSITORY: &str = "localhost/selvedge/chaincode";

/// Why the backend cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error("cannot keep images")]
    Images(#[from] LayoutError),
    #[error("cannot make directories for Go's caches; set HOME, or GOCACHE and GOMODCACHE")]
    Caches(#[source] io::Error),
    #[error("cannot make the images' base")]
    Base(#[from] BaseError),
    #[error(transparent)]
    Platform(#[from] UnsupportedPlatform),
}

/// The `local` backend.
pub(crate) struct LocalBackend {
    data: DataDirectory,
    images: Layout,
    base: Base,
    toolchain: GoToolchain,
    platform: Platform,
    /// One build at a time: they share this machine's cores, and a second request
    /// for the same source then finds the first one's image.
    turn: Semaphore,
}

impl LocalBackend {
    /// Opens the image store in the data directory.
    pub(crate) fn open(data: &DataDirectory) -> Result<Self, LocalError> {
        let certificates = ca_bundle_path(std::env::var_os("SSL_CERT_FILE"))?;
        let images = Layout::create(&data.images())?;
        // Nobody else adds to it: what lies there was left by a launcher that was killed.
        if let Err(error) = removal::clear(&images.scratch()) {
            warn!(%error, "cannot remove all that interrupted builds left");
        }
        Ok(Self {
            images,
            base: Base::open(&certificates)?,
            toolchain: compile::toolchain(&data.go()).map_err(LocalError::Caches)?,
            platform: Platform::host()?,
            data: data.clone(),
            turn: Semaphore::new(1),
        })
    }

    /// The image under the tag, if all of it is there and sound, and it says of itself that it was
    /// made of this source: chaincode can write in the store, and give another's tag to its own.
    async fn known(&self, tag: &Tag, source: Sha256) -> Option<Descriptor> {
        let found = self.images.find_tag(tag).ok().flatten()?;
        if !self.is_sound(sha256(&found)?).await {
            return None;
        }
        let base = self.base.diff_id().ok()?;
        let origin = Origin { base, source, platform: self.platform };
        if origin.made(&self.images, &found).unwrap_or(false) {
            return Some(found);
        }
        warn!(digest = %found.digest(), "another image has this source's tag, it is built anew");
        None
    }

    async fn is_sound(&self, digest: Sha256) -> bool {
        let images = self.images.clone();
        let faults = spawn_blocking(move || validate(&images, digest)).await;
        match faults {
            Ok(Ok(faults)) if faults.is_empty() => true,
            Ok(Ok(faults)) => {
                warn!(%digest, fault = %faults[0], faults = faults.len(), "image is damaged");
                false
            }
            _ => false,
        }
    }

    async fn assemble(
        &self,
        program: &Path,
        source: Sha256,
        tag: &Tag,
    ) -> Result<Descriptor, BuildError> {
        let (images, base, platform) = (self.images.clone(), self.base.clone(), self.platform);
        let (program, tag) = (program.to_owned(), tag.clone());
        let assembled = spawn_blocking(move || {
            let plan = ImagePlan { base: &base, program: &program, source, platform };
            let image = assemble(&plan, &images.scratch()).map_err(boxed)?;
            images.add(image, &tag).map_err(boxed)
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
        let Language::Golang = source.language;
        let path: GoPath = source.path.parse().map_err(refused)?;
        let module = GoModule::open(&source.source, &path, self.platform).map_err(refused)?;
        let plan = GoBuild::new(module, self.platform);
        let version = compile::version(&self.toolchain).await?;
        let digest = source.source.digest().map_err(refused)?;
        let key = BuildKey::new(&BuildKeyInputs {
            source: digest,
            recipe: &plan.recipe(),
            toolchain: &version,
            base: self.base.diff_id().map_err(|error| BuildError::Image(error.into()))?,
            platform: self.platform,
        });

        let _turn = self.turn.acquire().await;
        if let Some(known) = self.known(&key.tag(), digest).await {
            info!(digest = %known.digest(), "the image of this source is there already");
            return Ok(reference(&known));
        }
        info!(toolchain = version, "compiling");
        let output =
            self.data.temporary("build").map_err(|error| BuildError::Image(error.into()))?;
        let program = output.path().join("chaincode");
        compile::compile(&self.toolchain, &plan, source.source.root(), &program, limit, log)
            .await?;
        self.assemble(&program, digest, &key.tag()).await.map(|image| reference(&image))
    }

    async fn holds(&self, image: &ImageReference) -> bool {
        match image.digest.parse() {
            Ok(digest) => self.is_sound(digest).await,
            Err(_) => false,
        }
    }

    fn proxy_host(&self, _package_id: &str, _msp_id: &str) -> (IpAddr, ProxyHost) {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        (loopback, ProxyHost::Address(loopback))
    }

    async fn start(&self, workload: Workload) -> Result<Box<dyn Replicas>, StartError> {
        let files = self.data.temporary("replica").map_err(StartError::Files)?;
        let start = replica::prepare(&self.images, workload, files).await?;
        Ok(Box::new(supervise::Supervised::start(start)?))
    }
}

fn reference(image: &Descriptor) -> ImageReference {
    ImageReference { name: REPOSITORY.into(), digest: image.digest().to_string() }
}

fn refused(error: impl Error + Send + Sync + 'static) -> BuildError {
    BuildError::Source(error.into())
}

fn boxed(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tag_that_was_given_to_another_image_is_not_believed() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&parent.path().join("data")).unwrap();
        let backend = LocalBackend::open(&data).unwrap();
        let program = parent.path().join("program");
        std::fs::write(&program, "program").unwrap();
        let [victim, intruder] = [Sha256::of(b"victim"), Sha256::of(b"intruder")];
        let tag: Tag = "build-of-the-victim".parse().unwrap();
        let image = backend.assemble(&program, intruder, &tag).await.unwrap();
        assert_eq!(backend.known(&tag, intruder).await, Some(image));
        assert_eq!(backend.known(&tag, victim).await, None);
    }

    #[test]
    fn what_interrupted_builds_left_is_removed_at_the_start() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&parent.path().join("data")).unwrap();
        drop(LocalBackend::open(&data).unwrap());
        let scratch = data.images().join("scratch");
        std::fs::write(scratch.join("layer"), "half").unwrap();
        LocalBackend::open(&data).unwrap();
        assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0);
    }
}
