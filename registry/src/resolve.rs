//! Which image a name stands for just now: a tag may move to another one.

use std::time::Duration;

use http::Method;
use http::header::ACCEPT;
use oci_client::Reference;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::digest::Sha256;
use tokio::time::timeout;

use super::bounded::{AskError, Bounded, MOST};
use super::client::TAKEN;

/// By which registries say the digest of what they were asked for.
const DIGEST: &str = "docker-content-digest";

/// How long the registry may take: an install waits for it.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Why it is not known which image a name stands for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say all")]
pub enum ResolveError {
    #[error("the registry {registry} does not tell: it {source}")]
    Registry { registry: String, source: AskError },
    #[error("the registry {registry} has no image of this name")]
    Missing { registry: String },
    #[error("the registry {registry} does not answer within {} s", LIMIT.as_secs())]
    Silent { registry: String },
    #[error("the registry {registry} names it `{said}`, which is no SHA-256 digest")]
    Digest { registry: String, said: String },
}

/// The digest that the image's name holds, or that its registry has for it now.
pub async fn resolve(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Sha256, ResolveError> {
    let registry = || image.registry().to_owned();
    let said = match image.digest() {
        Some(digest) => digest.to_owned(),
        None => match timeout(LIMIT, ask(image, plain_http, auth)).await {
            Ok(Ok(Some(said))) => said,
            Ok(Ok(None)) => return Err(ResolveError::Missing { registry: registry() }),
            Ok(Err(source)) => return Err(ResolveError::Registry { registry: registry(), source }),
            Err(_) => return Err(ResolveError::Silent { registry: registry() }),
        },
    };
    said.parse().map_err(|_| ResolveError::Digest { registry: registry(), said })
}

/// By a question that registries do not count as a pull; if that is not answered, by the manifest.
async fn ask(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Option<String>, AskError> {
    let bounded = Bounded::new(image, plain_http, auth.clone())?;
    let name = image.tag().unwrap_or("latest");
    let accept = TAKEN.join(", ");
    let answer = bounded
        .ask(Method::HEAD, &format!("manifests/{name}"), |head| head.header(ACCEPT, &accept), MOST)
        .await?;
    let said = answer.headers.get(DIGEST).and_then(|said| said.to_str().ok()).map(str::to_owned);
    match answer.found()? {
        None => Ok(None),
        Some(_) if said.is_some() => Ok(said),
        Some(_) => {
            let manifest = bounded.manifest(name, &TAKEN).await?;
            Ok(manifest.map(|manifest| manifest.digest.to_string()))
        }
    }
}
