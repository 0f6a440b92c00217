//! Which image a name stands for just now: a tag may move to another one.

use std::time::Duration;

use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use selvedge_buildpack::digest::Sha256;
use tokio::time::timeout;

use super::client::client;

/// How long the registry may take: an install waits for it.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Why it is not known which image a name stands for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the registry {registry} does not tell")]
    Registry { registry: String, source: OciDistributionError },
    #[error("the registry {registry} does not answer within {} s", LIMIT.as_secs())]
    Silent { registry: String },
    #[error("the registry {registry} names it `{said}`, which is no SHA-256 digest")]
    Digest { registry: String, said: String },
}

/// The digest that the image's name holds, or that its registry has for it now.
pub(crate) async fn resolve(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<Sha256, ResolveError> {
    let registry = || image.registry().to_owned();
    let said = match image.digest() {
        Some(digest) => digest.to_owned(),
        None => match timeout(LIMIT, ask(image, plain_http, auth)).await {
            Ok(answer) => {
                answer.map_err(|source| ResolveError::Registry { registry: registry(), source })?
            }
            Err(_) => return Err(ResolveError::Silent { registry: registry() }),
        },
    };
    said.parse().map_err(|_| ResolveError::Digest { registry: registry(), said })
}

async fn ask(
    image: &Reference,
    plain_http: bool,
    auth: &RegistryAuth,
) -> Result<String, OciDistributionError> {
    let client = client(plain_http)?;
    client.auth(image, auth, RegistryOperation::Pull).await?;
    client.fetch_manifest_digest(image, auth).await
}
