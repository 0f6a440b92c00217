//! The image of a runtime: read where it is, and copied to where images that stand on it are kept.

use std::fmt;
use std::time::Duration;

use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{Libc, Runtime, UnfitRuntime};
use selvedge_buildpack::platform::Platform;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tracing::info;

use super::client::client;
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
    #[error("the registry of the image {image} does not tell of it")]
    Registry { image: String, source: OciDistributionError },
    #[error("the registry of the image {image} does not answer within {} s", LIMIT.as_secs())]
    Silent { image: String },
    #[error("the registry has no sound description of the image {image}")]
    Malformed { image: String, source: serde_json::Error },
    #[error("the image {image} {reason}")]
    Unfit { image: String, reason: UnfitRuntime },
}

/// A runtime's image in its registry.
pub struct RuntimeImage {
    client: Client,
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
        let failed = |source| RuntimeError::Registry { image: image(), source };
        for layer in self.runtime.layers() {
            let name = layer.digest().to_string();
            let content = self.client.pull_blob_stream(&self.reference, name.as_str());
            let content = content.await.map_err(failed)?;
            let read = move || Libc::of_layer(SyncIoBridge::new(StreamReader::new(content)));
            // One that is compressed in another way does not tell.
            if let Ok(Ok(Some(libc))) = spawn_blocking(read).await {
                return Ok(Some(libc));
            }
        }
        Ok(None)
    }

    /// Reads what the registry has under the name now, for this machine's platform.
    pub async fn read(
        name: &str,
        plain_http: bool,
        auth: RegistryAuth,
        platform: Platform,
    ) -> Result<Self, RuntimeError> {
        let image = || name.to_owned();
        let reference: Reference = name.parse().map_err(|_| RuntimeError::Name(image()))?;
        let failed = |source| RuntimeError::Registry { image: image(), source };
        let client = client(plain_http).map_err(failed)?;
        // Of an index, the client takes the manifest for the machine that it runs on.
        let described = client.pull_manifest_and_config(&reference, &auth);
        let (manifest, digest, config) = timeout(LIMIT, described)
            .await
            .map_err(|_| RuntimeError::Silent { image: image() })?
            .map_err(failed)?;
        let malformed = |source| RuntimeError::Malformed { image: image(), source };
        // From the client's types to those in which images are kept.
        let manifest = serde_json::to_value(manifest).and_then(serde_json::from_value);
        let manifest = manifest.map_err(malformed)?;
        let config = serde_json::from_str(&config).map_err(malformed)?;
        let runtime = Runtime::new(&manifest, &config, platform)
            .map_err(|reason| RuntimeError::Unfit { image: image(), reason })?;
        let reference = reference.clone_with_digest(digest.clone());
        Ok(Self { client, reference, auth, runtime, digest })
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
