//! The registry that images are pushed to and found in (the OCI distribution specification).

mod bounded;
mod client;
mod command;
mod credentials;
mod fetch;
mod presence;
mod pull;
mod referrers;
mod refusal;
mod repository;
mod resolve;
mod runtime;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use oci_client::{Client, RegistryOperation};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::{Descriptor, ImageManifest};
use selvedge_buildpack::image::{Layout, LayoutError, Tag, sha256};
use tokio_stream::StreamExt;
use tokio_util::io::ReaderStream;
use tracing::{info, warn};

pub use bounded::{AskError, Bounded, Document};
use client::client;
pub use command::command;
pub use credentials::{CredentialsError, DockerConfig};
pub use fetch::{FetchError, Origin, fetch};
pub use oci_client::Reference;
pub use oci_client::secrets::RegistryAuth;
pub use presence::{ImagePlatform, Presence, look_up};
pub use pull::Pulled;
pub use referrers::ReferError;
use refusal::{is_refusal, lacks_a_blob, words};
pub use repository::{InvalidRepository, Repository};
pub use resolve::{ResolveError, resolve};
pub use runtime::{RuntimeError, RuntimeImage};

/// What is read of a layer at once, in bytes.
const CHUNK: usize = 256 << 10;

/// Why a registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say all")]
pub enum RegistryError {
    #[error("cannot set up the client for the registry {registry}")]
    Client { registry: String, source: OciDistributionError },
    #[error("cannot set up the client for the registry {registry}")]
    Bounded { registry: String, source: AskError },
    #[error("cannot reach the registry {registry} over {scheme}")]
    Unreachable { registry: String, scheme: &'static str, source: reqwest::Error },
    #[error(
        "the registry {registry} refused the credentials for {repository} ({given}; \
         registry.secret)"
    )]
    Refused { registry: String, repository: String, given: &'static str },
    #[error("the registry {registry} will not take or give {subject}: {words}")]
    Unwilling { registry: String, subject: String, words: String },
    #[error("the registry {registry} gave no sound answer for {subject}")]
    Answer { registry: String, subject: String, source: OciDistributionError },
    #[error("the registry {registry} gave no sound answer for {subject}")]
    Unsound { registry: String, subject: String, source: AskError },
    #[error("the registry {registry} has something else than an image as {subject}: {reason}")]
    NoImage { registry: String, subject: String, reason: String },
    #[error("cannot use the launcher's copy of the image")]
    Layout(#[from] LayoutError),
    #[error("cannot read the blob {blob} that is to be pushed")]
    Blob { blob: Sha256, source: std::io::Error },
    #[error("cannot keep the blob {blob} of the image that is looked at")]
    Keep { blob: Sha256, source: std::io::Error },
}

/// One repository of a registry, with the credentials for it.
pub struct Registry {
    client: Client,
    bounded: Bounded,
    repository: Repository,
    auth: RegistryAuth,
    scheme: &'static str,
}

impl Registry {
    /// A client for the repository; asks nothing of the registry yet.
    pub fn new(
        repository: &Repository,
        plain_http: bool,
        auth: RegistryAuth,
    ) -> Result<Self, RegistryError> {
        let client = client(plain_http).map_err(|source| RegistryError::Client {
            registry: repository.registry().to_owned(),
            source,
        })?;
        let scheme = if plain_http { "plain HTTP" } else { "HTTPS" };
        let any = any(repository);
        let bounded = Bounded::new(&any, plain_http, auth.clone()).map_err(|source| {
            RegistryError::Bounded { registry: repository.registry().to_owned(), source }
        })?;
        Ok(Self { client, bounded, repository: repository.clone(), auth, scheme })
    }

    /// The digest of the image that has the tag, if the registry holds all of it.
    pub async fn find(&self, tag: &Tag) -> Result<Option<Sha256>, RegistryError> {
        self.find_reference(&self.tagged(tag)).await
    }

    /// Whether the registry holds all of the image.
    pub async fn holds(&self, image: Sha256) -> Result<bool, RegistryError> {
        Ok(self.find_reference(&self.by_digest(image)).await?.is_some())
    }

    /// Pushes an image of the layout: layers, configuration, and at last, under the tag, the
    /// manifest. What the registry holds already is not sent again.
    pub async fn push(
        &self,
        images: &Layout,
        image: &Descriptor,
        tag: &Tag,
    ) -> Result<(), RegistryError> {
        let reference = self.tagged(tag);
        let manifest = images.manifest(image)?;
        self.sign_in(&reference, RegistryOperation::Push).await?;
        let document = images.read_blob(image)?;
        let mut pushed = self.push_once(&reference, images, &manifest, document.clone()).await?;
        if pushed.as_ref().is_err_and(lacks_a_blob) {
            // What was there when it was looked for was cleared away before the manifest came.
            pushed = self.push_once(&reference, images, &manifest, document).await?;
        }
        pushed.map_err(|error| self.failed(&reference.to_string(), error))?;
        info!(image = %reference, digest = %image.digest(), "image was pushed");
        Ok(())
    }

    /// Pushes the blobs that are not there, and the manifest; what the registry says to that.
    async fn push_once(
        &self,
        reference: &Reference,
        images: &Layout,
        manifest: &ImageManifest,
        document: Vec<u8>,
    ) -> Result<Result<(), OciDistributionError>, RegistryError> {
        for blob in manifest.layers().iter().chain([manifest.config()]) {
            self.push_blob(reference, images, blob).await?;
        }
        let kind = http::HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        Ok(self.client.push_manifest_raw(reference, document, kind).await.map(drop))
    }

    async fn push_blob(
        &self,
        reference: &Reference,
        images: &Layout,
        blob: &Descriptor,
    ) -> Result<(), RegistryError> {
        let name = blob.digest().to_string();
        let failed = |error| self.failed(&name, error);
        if self.client.blob_exists(reference, &name).await.map_err(failed)? {
            return Ok(());
        }
        let digest = sha256(blob).ok_or_else(|| LayoutError::Damaged {
            path: images.root().to_owned(),
            reason: format!("{name} is not a SHA-256 digest"),
        })?;
        let (file, size) = images.open_blob(digest)?;
        let content = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK)
            .map(|chunk: std::io::Result<Bytes>| chunk.map_err(OciDistributionError::from));
        match self.client.push_blob_stream(reference, content, &name, Some(size)).await {
            Ok(_) => Ok(()),
            Err(OciDistributionError::IoError(source)) => {
                Err(RegistryError::Blob { blob: digest, source })
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn find_reference(&self, reference: &Reference) -> Result<Option<Sha256>, RegistryError> {
        self.sign_in(reference, RegistryOperation::Pull).await?;
        let subject = reference.to_string();
        let Some((document, manifest)) = self.manifest(reference).await? else { return Ok(None) };
        // A registry may have cleared away blobs of a manifest that it kept.
        for blob in manifest.layers().iter().chain([manifest.config()]) {
            let name = blob.digest().to_string();
            let held = self.client.blob_exists(reference, &name).await;
            if !held.map_err(|error| self.failed(&name, error))? {
                warn!(image = subject, blob = name, "image is incomplete in the registry");
                return Ok(None);
            }
        }
        Ok(Some(Sha256::of(&document)))
    }

    /// The image's manifest and the bytes that it is; `None` if there is none.
    async fn manifest(
        &self,
        reference: &Reference,
    ) -> Result<Option<(Vec<u8>, ImageManifest)>, RegistryError> {
        let subject = reference.to_string();
        let name = reference.digest().or(reference.tag()).unwrap_or_default();
        let document = self.bounded.manifest(name, &[OCI_IMAGE_MEDIA_TYPE]).await;
        let document = document.map_err(|error| self.unsaid(&subject, error))?;
        let Some(Document { bytes, .. }) = document else { return Ok(None) };
        let manifest =
            serde_json::from_slice(&bytes).map_err(|error| self.no_image(&subject, &error))?;
        Ok(Some((bytes, manifest)))
    }

    /// Has the client fetch a token if the registry wants one: in the calls that need it, the
    /// client passes over the reason why there is none.
    async fn sign_in(
        &self,
        reference: &Reference,
        operation: RegistryOperation,
    ) -> Result<(), RegistryError> {
        let signed_in = self.client.auth(reference, &self.auth, operation).await;
        signed_in.map(drop).map_err(|error| self.failed(&reference.to_string(), error))
    }

    fn tagged(&self, tag: &Tag) -> Reference {
        Reference::with_tag(
            self.repository.registry().to_owned(),
            self.repository.name().to_owned(),
            tag.to_string(),
        )
    }

    fn any(&self) -> Reference {
        any(&self.repository)
    }

    fn by_digest(&self, image: Sha256) -> Reference {
        Reference::with_digest(
            self.repository.registry().to_owned(),
            self.repository.name().to_owned(),
            image.to_string(),
        )
    }

    fn no_image(&self, subject: &str, reason: &dyn std::fmt::Display) -> RegistryError {
        RegistryError::NoImage {
            registry: self.repository.registry().to_owned(),
            subject: subject.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn failed(&self, subject: &str, error: OciDistributionError) -> RegistryError {
        let registry = self.repository.registry().to_owned();
        match error {
            error if is_refusal(&error) => self.refused(),
            OciDistributionError::RequestError(cause) if cause.is_connect() => {
                RegistryError::Unreachable { registry, scheme: self.scheme, source: cause }
            }
            source => {
                let subject = subject.to_owned();
                match words(&source) {
                    Some(words) => RegistryError::Unwilling { registry, subject, words },
                    None => RegistryError::Answer { registry, subject, source },
                }
            }
        }
    }

    fn unsaid(&self, subject: &str, error: AskError) -> RegistryError {
        let registry = self.repository.registry().to_owned();
        match error {
            AskError::Refused(_) => self.refused(),
            AskError::Unanswered(cause) if cause.is_connect() => {
                RegistryError::Unreachable { registry, scheme: self.scheme, source: cause }
            }
            source => RegistryError::Unsound { registry, subject: subject.to_owned(), source },
        }
    }

    fn refused(&self) -> RegistryError {
        RegistryError::Refused {
            registry: self.repository.registry().to_owned(),
            repository: self.repository.name().to_owned(),
            given: match self.auth {
                RegistryAuth::Anonymous => "none were given",
                _ => "as the Secret has them",
            },
        }
    }
}

/// The repository, by whatever tag.
fn any(repository: &Repository) -> Reference {
    Reference::with_tag(
        repository.registry().to_owned(),
        repository.name().to_owned(),
        "latest".to_owned(),
    )
}
