//! The image of a runtime: read where it is, and copied to where images that stand on it are kept.

use std::fmt;
use std::io;
use std::time::Duration;

use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{Document as Image, Libc, Runtime, UnfitRuntime, sha256};
use selvedge_buildpack::platform::Platform;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tracing::info;

use super::bounded::{AskError, Bounded, Document, MOST};
use super::client::{TAKEN, client};
use super::{Registry, RegistryError};

/// How long a registry may take to describe an image: an install waits for it.
const LIMIT: Duration = Duration::from_secs(30);

/// Why no chaincode can stand on a runtime's image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say all")]
pub enum RuntimeError {
    #[error("`{0}` is no name of an image")]
    Name(String),
    #[error("cannot set up the client for the registry of the image {image}")]
    Client { image: String, source: OciDistributionError },
    #[error("the registry of the image {image} does not tell of it: it {source}")]
    Registry { image: String, source: AskError },
    #[error("the registry of the image {image} does not tell of it: it has none")]
    Missing { image: String },
    #[error("the registry of the image {image} does not answer within {} s", LIMIT.as_secs())]
    Silent { image: String },
    #[error("the registry has no sound description of the image {image}")]
    Malformed { image: String, source: serde_json::Error },
    #[error("the image {image} is one for several platforms, of which the one for this is, too")]
    Nested { image: String },
    #[error("the image {image} {reason}")]
    Unfit { image: String, reason: UnfitRuntime },
}

/// A runtime's image in its registry.
pub struct RuntimeImage {
    /// What copies its layers, which are the registry's to look at.
    client: Client,
    bounded: Bounded,
    reference: Reference,
    auth: RegistryAuth,
    /// What is known of it.
    pub runtime: Runtime,
    /// The digest of its manifest, for the platform.
    pub digest: String,
}

impl RuntimeImage {
    /// The C library of the system in it; none if that cannot be told. Its layers are fetched from the
    /// lowest up as far as it takes.
    pub async fn libc(&self) -> Result<Option<Libc>, RuntimeError> {
        let image = || self.reference.to_string();
        for layer in self.runtime.layers() {
            let Some(digest) = sha256(layer) else { continue };
            let content = self.bounded.open_blob(digest).await;
            let content =
                content.map_err(|source| RuntimeError::Registry { image: image(), source })?;
            let Some(content) = content else {
                return Err(RuntimeError::Missing { image: image() });
            };
            let content = content.bytes_stream().map(|chunk| chunk.map_err(io::Error::other));
            let read = move || Libc::of_layer(SyncIoBridge::new(StreamReader::new(content)));
            // One that is compressed in another way does not tell.
            if let Ok(Ok(Some(libc))) = spawn_blocking(read).await {
                return Ok(Some(libc));
            }
        }
        Ok(None)
    }

    /// Reads what the registry has under the name now, for this platform.
    pub async fn read(
        name: &str,
        plain_http: bool,
        auth: RegistryAuth,
        platform: Platform,
    ) -> Result<Self, RuntimeError> {
        let image = || name.to_owned();
        let reference: Reference = name.parse().map_err(|_| RuntimeError::Name(image()))?;
        let client =
            client(plain_http).map_err(|source| RuntimeError::Client { image: image(), source })?;
        let bounded = Bounded::new(&reference, plain_http, auth.clone())
            .map_err(|source| RuntimeError::Registry { image: image(), source })?;
        let named = reference.digest().or(reference.tag()).unwrap_or("latest");
        let reading = Reading { bounded: &bounded, image: name, platform };
        let (runtime, digest) = timeout(LIMIT, reading.runtime(named))
            .await
            .map_err(|_| RuntimeError::Silent { image: image() })??;
        let digest = digest.to_string();
        let reference = reference.clone_with_digest(digest.clone());
        Ok(Self { client, bounded, reference, auth, runtime, digest })
    }
}

/// A registry that is asked for the description of an image.
struct Reading<'a> {
    bounded: &'a Bounded,
    image: &'a str,
    platform: Platform,
}

impl Reading<'_> {
    /// What there is to know of the image of that tag or digest, and the digest of its manifest.
    async fn runtime(&self, named: &str) -> Result<(Runtime, Sha256), RuntimeError> {
        let mut document = self.manifest(named).await?;
        let mut is_one_of_several = false;
        let manifest = loop {
            match Image::parse(&document.bytes).map_err(self.malformed())? {
                Image::One(manifest) => break manifest,
                Image::Several(_) if is_one_of_several => {
                    return Err(RuntimeError::Nested { image: self.image.to_owned() });
                }
                Image::Several(several) => {
                    let digest = several.digest_for(self.platform).map_err(|found| {
                        self.unfit(UnfitRuntime::Platform { found, wanted: self.platform })
                    })?;
                    document = self.manifest(&digest.to_string()).await?;
                    is_one_of_several = true;
                }
            }
        };
        let config = manifest.config().digest().to_string();
        let config = config.parse().map_err(|_| self.missing())?;
        let config = self.bounded.blob(config, MOST).await.map_err(self.failed())?;
        let config = config.ok_or_else(|| self.missing())?;
        let config = serde_json::from_slice(&config).map_err(self.malformed())?;
        let runtime = Runtime::new(&manifest, &config, self.platform);
        Ok((runtime.map_err(|reason| self.unfit(reason))?, document.digest))
    }

    async fn manifest(&self, named: &str) -> Result<Document, RuntimeError> {
        let document = self.bounded.manifest(named, &TAKEN).await.map_err(self.failed())?;
        document.ok_or_else(|| self.missing())
    }

    fn failed(&self) -> impl Fn(AskError) -> RuntimeError {
        |source| RuntimeError::Registry { image: self.image.to_owned(), source }
    }

    fn malformed(&self) -> impl Fn(serde_json::Error) -> RuntimeError {
        |source| RuntimeError::Malformed { image: self.image.to_owned(), source }
    }

    fn missing(&self) -> RuntimeError {
        RuntimeError::Missing { image: self.image.to_owned() }
    }

    fn unfit(&self, reason: UnfitRuntime) -> RuntimeError {
        RuntimeError::Unfit { image: self.image.to_owned(), reason }
    }
}

impl fmt::Display for RuntimeImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)
    }
}

impl Registry {
    /// Sees to it that the repository has the runtime's layers.
    pub async fn copy(&self, runtime: &RuntimeImage) -> Result<(), RegistryError> {
        let target = self.any();
        self.sign_in(&target, RegistryOperation::Push).await?;
        for layer in runtime.runtime.layers() {
            self.copy_layer(&target, runtime, layer).await?;
        }
        Ok(())
    }

    async fn copy_layer(
        &self,
        target: &Reference,
        runtime: &RuntimeImage,
        layer: &Descriptor,
    ) -> Result<(), RegistryError> {
        let name = layer.digest().to_string();
        let failed = |error| self.failed(&name, error);
        if self.client.blob_exists(target, &name).await.map_err(failed)? {
            return Ok(());
        }
        let RuntimeImage { client, reference, auth, .. } = runtime;
        let is_same = reference.resolve_registry() == target.resolve_registry();
        // A registry may not know how, or may not let it happen: then it is sent.
        if is_same && self.client.mount_blob(target, reference, &name).await.is_ok() {
            return Ok(());
        }
        client.auth(reference, auth, RegistryOperation::Pull).await.map_err(failed)?;
        let content = client.pull_blob_stream(reference, name.as_str()).await.map_err(failed)?;
        let content = content.map(|chunk| chunk.map_err(OciDistributionError::from));
        let sent = self.client.push_blob_stream(target, content, &name, Some(layer.size())).await;
        sent.map_err(failed)?;
        info!(layer = name, of = %reference, "a layer of the runtime's image was copied");
        Ok(())
    }
}
