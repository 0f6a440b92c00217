//! Whether a registry has an image that somebody else made, and for which platforms that is.

use std::fmt;

use oci_client::Reference;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::platform::Platform;
use serde::Deserialize;
use tokio::time::timeout;

use super::bounded::{AskError, Bounded, MOST};
use super::client::TAKEN;
use super::resolve::{LIMIT, ResolveError};

/// What a registry says of an image.
#[derive(Debug, PartialEq, Eq)]
pub enum Presence {
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
pub struct ImagePlatform {
    os: String,
    architecture: String,
}

impl ImagePlatform {
    /// Whether it is that one.
    pub fn is(&self, platform: Platform) -> bool {
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
    digest: Sha256,
}

#[derive(Deserialize)]
struct Entry {
    platform: Option<ImagePlatform>,
}

/// Asks the registry for an image by its digest.
pub async fn look_up(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Presence, ResolveError> {
    let registry = || image.registry().to_owned();
    match timeout(LIMIT, ask(image, plain_http, auth)).await {
        Ok(Ok(presence)) => Ok(presence),
        Ok(Err(source)) => Err(ResolveError::Registry { registry: registry(), source }),
        Err(_) => Err(ResolveError::Silent { registry: registry() }),
    }
}

async fn ask(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Presence, AskError> {
    let bounded = Bounded::new(image, plain_http, auth.clone())?;
    let name = image.digest().or(image.tag()).unwrap_or("latest");
    let Some(document) = bounded.manifest(name, &TAKEN).await? else {
        return Ok(Presence::Missing);
    };
    let manifest: Manifest = parsed("a manifest", &document.bytes)?;
    let platforms = match (manifest.manifests, manifest.config) {
        (Some(entries), _) => entries.into_iter().filter_map(|entry| entry.platform).collect(),
        (None, Some(config)) => {
            let Some(config) = bounded.blob(config.digest, MOST).await? else {
                return Ok(Presence::Missing);
            };
            vec![parsed("a configuration", &config)?]
        }
        (None, None) => Vec::new(),
    };
    let platforms: Vec<_> = platforms.into_iter().filter(ImagePlatform::is_one).collect();
    Ok(if platforms.is_empty() { Presence::ForAny } else { Presence::For(platforms) })
}

fn parsed<'a, T: Deserialize<'a>>(what: &'static str, document: &'a [u8]) -> Result<T, AskError> {
    serde_json::from_slice(document).map_err(|error| AskError::Malformed(what, error))
}
