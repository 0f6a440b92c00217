//! The images that a build stands on: the language's runtime, and its toolchain. The latter is known
//! by its digest, so that a tag which moves to another compiler is another toolchain.

use oci_client::Reference;
use selvedge_buildpack::language::Language;
use tokio::sync::mpsc;
use tracing::warn;

use super::builds::Builds;
use super::error::ClusterBuildError;
use super::said::Said;
use crate::error_chain::one_line;
use selvedge_registry::{RuntimeError, RuntimeImage, resolve};

/// The image that compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// What the Job runs.
    pub(super) image: String,
    /// What it is known by in a build's key: the digest alone, which is the same behind every
    /// mirror. The image's name when the digest is not known.
    pub(super) identity: String,
}

impl Builds {
    /// What chaincode of the language stands on, as it is now; none if it needs nothing to.
    pub(super) async fn runtime(
        &self,
        language: Language,
        said: &Said,
    ) -> Result<Option<RuntimeImage>, ClusterBuildError> {
        let Some(name) = said.runtime(language) else { return Ok(None) };
        let reference: Reference = name.parse().map_err(|_| RuntimeError::Name(name.clone()))?;
        let (plain_http, auth) = self.access_to(reference.registry(), said).await;
        Ok(Some(RuntimeImage::read(&name, plain_http, auth, self.platform).await?))
    }

    /// The toolchain's image as it is now; none if nothing is run to build. When its registry cannot
    /// be asked, nodes may have it all the same: then the name has to do, and the installer is told.
    pub(super) async fn toolchain(
        &self,
        language: Language,
        said: &Said,
        log: &mpsc::Sender<String>,
    ) -> Option<Toolchain> {
        let (name, key) = said.toolchain(language)?;
        let named = || Toolchain { image: name.clone(), identity: name.clone() };
        // What is no name of an image, the kubelet says best.
        let Ok(reference) = name.parse::<Reference>() else { return Some(named()) };
        let (plain_http, auth) = self.access_to(reference.registry(), said).await;
        Some(match resolve(&reference, plain_http, &auth).await {
            Ok(digest) => Toolchain {
                image: reference.clone_with_digest(digest.to_string()).to_string(),
                identity: digest.to_string(),
            },
            Err(error) => {
                let reason = one_line(&error);
                warn!(image = name, reason, "cannot tell which image this is now");
                let line = format!(
                    "cannot tell which image {name} is now: {reason}; what an earlier one of this \
                     name compiled is taken for this one's (name it by digest: {key})"
                );
                let _ = log.send(line).await;
                named()
            }
        })
    }
}
