//! What an image that somebody else made has a container run.

use oci_client::Reference;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::image::{Document, ImageCommand, sha256};
use selvedge_buildpack::platform::Platform;
use tokio::time::timeout;

use crate::bounded::{AskError, Bounded, MOST};
use crate::client::TAKEN;
use crate::resolve::{LIMIT, ResolveError};

/// Asks the registry what an image, by its digest, has a container run on a platform; none where the
/// image does not say.
pub async fn command(
    image: &Reference,
    platform: Platform,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Option<ImageCommand>, ResolveError> {
    let registry = || image.registry().to_owned();
    match timeout(LIMIT, ask(image, platform, plain_http, auth)).await {
        Ok(Ok(command)) => Ok(command),
        Ok(Err(source)) => Err(ResolveError::Registry { registry: registry(), source }),
        Err(_) => Err(ResolveError::Silent { registry: registry() }),
    }
}

async fn ask(
    image: &Reference,
    platform: Platform,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Option<ImageCommand>, AskError> {
    let bounded = Bounded::new(image, plain_http, auth.clone())?;
    let mut name = image.digest().or(image.tag()).unwrap_or("latest").to_owned();
    // The image, or one of several, which is the image.
    for _ in 0..2 {
        let Some(document) = bounded.manifest(&name, &TAKEN).await? else { return Ok(None) };
        let manifest = match Document::parse(&document.bytes).map_err(malformed("a manifest"))? {
            Document::One(manifest) => manifest,
            Document::Several(several) => match several.digest_for(platform) {
                Ok(digest) => {
                    name = digest.to_string();
                    continue;
                }
                Err(_) => return Ok(None),
            },
        };
        let Some(config) = sha256(manifest.config()) else { return Ok(None) };
        let Some(config) = bounded.blob(config, MOST).await? else { return Ok(None) };
        return ImageCommand::read(&config).map_err(malformed("a configuration"));
    }
    Ok(None)
}

fn malformed(what: &'static str) -> impl Fn(serde_json::Error) -> AskError {
    move |error| AskError::Malformed(what, error)
}
