//! An image that somebody else made, fetched to be run on this machine: all of it, by digest, so that
//! whoever brings it can bring nothing else.

use std::io::{self, Write};
use std::time::Duration;

use oci_client::Reference;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::digest::{Hashing, Sha256};
use selvedge_buildpack::image::oci_spec::image::{Descriptor, Digest, ImageManifest, MediaType};
use selvedge_buildpack::image::{Document, Foreign, Layout, LayoutError, UnfitBlobs, sha256};
use selvedge_buildpack::platform::Platform;
use tempfile::NamedTempFile;
use tokio::time::timeout;

use super::bounded::{AskError, Bounded};
use super::client::TAKEN;

/// How long a registry may take to describe an image.
const LIMIT: Duration = Duration::from_secs(30);

/// Why an image is not here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The registry has no such image.
    #[error("it is not there")]
    Missing,
    /// It is for these platforms alone.
    #[error("it is for {0}")]
    Platform(String),
    /// What is fetched is told by its digest.
    #[error("its name has no digest")]
    NoDigest,
    /// The registry refuses, or cannot be reached.
    #[error("the registry {registry} does not give it")]
    Registry {
        /// Its host and port.
        registry: String,
        /// Why.
        source: AskError,
    },
    /// The registry says nothing.
    #[error("the registry {registry} does not answer within {} s", LIMIT.as_secs())]
    Silent {
        /// Its host and port.
        registry: String,
    },
    /// The registry has sent something else.
    #[error("the registry {registry} has something else as {blob}: {actual}")]
    Other {
        /// Its host and port.
        registry: String,
        /// What was asked for.
        blob: Sha256,
        /// What came.
        actual: String,
    },
    /// Its manifest cannot be read.
    #[error("its manifest is none of an image")]
    Malformed(#[source] serde_json::Error),
    /// An index of indexes.
    #[error("it is one for several platforms, of which the one for this is, too")]
    Nested,
    /// It is more than is taken.
    #[error("it {0}")]
    Unfit(#[from] UnfitBlobs),
    /// The image store does not take it.
    #[error("it cannot be kept")]
    Keep(#[from] LayoutError),
    /// The disk does not take it.
    #[error("it cannot be written")]
    Write(#[from] io::Error),
}

/// A registry that has an image, and how it is asked.
#[derive(Debug)]
pub struct Origin<'a> {
    /// The image, by its digest.
    pub image: &'a Reference,
    /// Whether it is asked without TLS.
    pub plain_http: bool,
    /// Who asks.
    pub auth: &'a RegistryAuth,
    /// Of an image for several platforms the one for this is fetched.
    pub platform: Platform,
}

/// Sees to it that all of the image is in the layout, and fetches no more of it than is missing; its
/// manifest and that one's digest, which is another than the image's where that is one for several
/// platforms. What was there before is looked at when it is laid out.
///
/// # Errors
///
/// When the image is not there, is not what its digest says, or cannot be kept.
pub async fn fetch(
    origin: &Origin<'_>,
    images: &Layout,
) -> Result<(Sha256, ImageManifest), FetchError> {
    let asked = Bounded::new(origin.image, origin.plain_http, origin.auth.clone());
    let registry = Registry { asked: asked.map_err(origin.failed())?, origin };
    let named = origin.image.digest().and_then(|digest| digest.parse().ok());
    let named = named.ok_or(FetchError::NoDigest)?;
    let mut document = registry.manifest(named, images).await?;
    let mut digest = named;
    let manifest = loop {
        match Document::parse(&document).map_err(FetchError::Malformed)? {
            Document::One(manifest) => break *manifest,
            Document::Several(_) if digest != named => return Err(FetchError::Nested),
            Document::Several(several) => {
                digest = several.digest_for(origin.platform).map_err(FetchError::Platform)?;
                keep(images, named, &document)?;
                document = registry.manifest(digest, images).await?;
            }
        }
    };
    for blob in Foreign::blobs(&manifest)? {
        registry.blob(blob, images).await?;
    }
    keep(images, digest, &document)?;
    Ok((digest, manifest))
}

/// Lists what is there whole.
fn keep(images: &Layout, digest: Sha256, document: &[u8]) -> Result<(), FetchError> {
    if images.find(digest)?.is_none() {
        put(images, digest, document)?;
        let name = Digest::try_from(digest.to_string()).map_err(io::Error::other)?;
        let size = document.len() as u64;
        images.adopt(&Descriptor::new(MediaType::ImageManifest, size, name))?;
    }
    Ok(())
}

/// Puts a blob where it belongs, whole.
fn put(images: &Layout, digest: Sha256, content: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(images.scratch())?;
    file.write_all(content)?;
    file.persist(images.blob_path(digest)).map_err(|error| error.error).map(drop)
}

struct Registry<'a> {
    asked: Bounded,
    origin: &'a Origin<'a>,
}

impl Origin<'_> {
    fn failed(&self) -> impl Fn(AskError) -> FetchError {
        let registry = self.image.registry().to_owned();
        move |source| FetchError::Registry { registry: registry.clone(), source }
    }
}

impl Registry<'_> {
    /// A manifest, from the layout or from the registry.
    async fn manifest(&self, digest: Sha256, images: &Layout) -> Result<Vec<u8>, FetchError> {
        if let Ok(Some(known)) = images.find(digest)
            && let Ok(document) = images.read_blob(&known)
        {
            return Ok(document);
        }
        let document = timeout(LIMIT, self.asked.manifest(&digest.to_string(), &TAKEN)).await;
        let registry = || self.origin.image.registry().to_owned();
        let document = document.map_err(|_| FetchError::Silent { registry: registry() })?;
        let document = document.map_err(self.origin.failed())?;
        document.map(|document| document.bytes).ok_or(FetchError::Missing)
    }

    /// Sees to it that a blob is there.
    async fn blob(&self, blob: &Descriptor, images: &Layout) -> Result<(), FetchError> {
        let Some(digest) = sha256(blob) else { return Ok(()) };
        let size = blob.size();
        if images.open_blob(digest).is_ok_and(|(_, there)| there == size) {
            return Ok(());
        }
        let content = self.asked.open_blob(digest).await.map_err(self.origin.failed())?;
        let mut content = content.ok_or(FetchError::Missing)?;
        let mut file = Hashing::new(NamedTempFile::new_in(images.scratch())?);
        let mut rest = size;
        let broken = |error| self.origin.failed()(AskError::Unanswered(error));
        while let Some(chunk) = content.chunk().await.map_err(broken)? {
            rest = rest
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| self.other(digest, &format_args!("more than {size} bytes")))?;
            file.write_all(&chunk)?;
        }
        match file.finish() {
            (file, actual, _) if actual == digest => {
                file.persist(images.blob_path(digest)).map_err(|error| error.error)?;
                Ok(())
            }
            (_, actual, _) => Err(self.other(digest, &actual)),
        }
    }

    fn other(&self, blob: Sha256, actual: &dyn std::fmt::Display) -> FetchError {
        let registry = self.origin.image.registry().to_owned();
        FetchError::Other { registry, blob, actual: actual.to_string() }
    }
}
