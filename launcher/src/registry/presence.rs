//! Whether a registry has an image that somebody else made, and for which platforms that is.

use std::fmt;

use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use selvedge_buildpack::platform::Platform;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::client::client;
use super::is_unknown;
use super::resolve::{LIMIT, ResolveError};

/// What containerd takes as well.
pub(super) const TAKEN: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// The largest configuration that is read, in bytes: as much as the distribution specification
/// wants of manifests.
const MAX_CONFIGURATION: usize = 4 << 20;

/// What a registry says of an image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has none.
    Missing,
    /// It has one for these platforms.
    For(Vec<ImagePlatform>),
    /// It has one that does not say for which platform.
    ForAny,
}

/// A platform as an image names it, which may be one that Selvedge does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ImagePlatform {
    os: String,
    architecture: String,
}

impl ImagePlatform {
    pub(crate) fn is(&self, platform: Platform) -> bool {
        self.os == platform.os() && self.architecture == platform.architecture()
    }

    /// Attestations lie beside images, for a platform `unknown/unknown`
    /// (`docs/attestations/attestation-storage.md` of `BuildKit`).
    fn is_one(&self) -> bool {
        let is_one = |name: &str| !name.is_empty() && name != "unknown";
        is_one(&self.os) && is_one(&self.architecture)
    }
}

impl fmt::Display for ImagePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os.escape_debug(), self.architecture.escape_debug())
    }
}

/// A manifest, of an image or of several, as far as it matters here.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Blob>,
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Blob {
    digest: String,
}

#[derive(Deserialize)]
struct Entry {
    platform: Option<ImagePlatform>,
}

/// Asks the registry for an image by its digest.
pub(crate) async fn look_up(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Presence, ResolveError> {
    let registry = || image.registry().to_owned();
    match timeout(LIMIT, ask(image, plain_http, auth)).await {
        Ok(Ok(presence)) => Ok(presence),
        Ok(Err(error)) if is_unknown(&error) => Ok(Presence::Missing),
        Ok(Err(source)) => Err(ResolveError::Registry { registry: registry(), source }),
        Err(_) => Err(ResolveError::Silent { registry: registry() }),
    }
}

async fn ask(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Presence, OciDistributionError> {
    let client = client(plain_http)?;
    client.auth(image, auth, RegistryOperation::Pull).await?;
    let (document, _) = client.pull_manifest_raw(image, auth, &TAKEN).await?;
    let manifest: Manifest = parsed(&document)?;
    let platforms = match (manifest.manifests, manifest.config) {
        (Some(entries), _) => entries.into_iter().filter_map(|entry| entry.platform).collect(),
        (None, Some(config)) => {
            vec![parsed(&configuration(&client, image, &config.digest).await?)?]
        }
        (None, None) => Vec::new(),
    };
    let platforms: Vec<_> = platforms.into_iter().filter(ImagePlatform::is_one).collect();
    Ok(if platforms.is_empty() { Presence::ForAny } else { Presence::For(platforms) })
}

async fn configuration(
    client: &Client,
    image: &Reference,
    digest: &str,
) -> Result<Vec<u8>, OciDistributionError> {
    let mut content = client.pull_blob_stream(image, digest).await?;
    let mut document = Vec::new();
    while let Some(chunk) = content.next().await {
        document.extend_from_slice(&chunk?);
        if document.len() > MAX_CONFIGURATION {
            let reason = format!("the configuration {digest} is over {MAX_CONFIGURATION} bytes");
            return Err(OciDistributionError::GenericError(Some(reason)));
        }
    }
    Ok(document)
}

fn parsed<'a, T: Deserialize<'a>>(document: &'a [u8]) -> Result<T, OciDistributionError> {
    serde_json::from_slice(document)
        .map_err(|error| OciDistributionError::ManifestParsingError(error.to_string()))
}
