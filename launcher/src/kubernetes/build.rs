//! Chaincode built by Jobs in the cluster: compiled there, judged here, pushed from here.
//!
//! A build gets no credential at all, neither the cluster's nor the registry's. It gets an
//! address in this launcher (`build/handover.rs`) that is good for the source of one package and
//! for leaving one image, and the image is pushed, by the launcher and to the one repository,
//! only if it is what that source makes (`build/judge.rs`).

mod access;
mod builds;
mod custody;
mod error;
mod examination;
mod fetching;
mod follow;
#[cfg(test)]
mod found_tests;
mod handover;
mod job;
mod job_log;
mod judge;
mod made;
mod making;
mod manifest;
mod mirroring;
mod named;
#[cfg(test)]
mod named_tests;
mod orphans;
mod others;
mod patience;
mod pulse;
mod reach;
mod ready;
#[cfg(test)]
mod ready_tests;
mod said;
mod served;
#[cfg(test)]
mod served_tests;
mod surroundings;
mod telling;
#[cfg(test)]
mod tests;
mod toolchain;
mod turns;
mod verdict;

use std::time::Duration;

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{BuildKey, BuildKeyInputs};
use selvedge_buildpack::recipe::Recipe;
use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::warn;

use crate::backend::BuildError;
use crate::error_chain::one_line;
use crate::image_reference::image_reference;
use crate::loading;
use crate::source::StagedSource;
use selvedge_registry::RuntimeImage;

pub(crate) use builds::Builds;
pub(crate) use error::BuildsError;
use error::ClusterBuildError;
use making::Wanted;
use toolchain::Toolchain;
use verdict::JobFailure;

/// What ending all builds may take: a pod has little more than that for everything.
const END: Duration = Duration::from_secs(5);

impl Builds {
    /// Turns a source into an image in the registry, or finds the one that it was turned into
    /// before, by whomever.
    pub(crate) async fn build(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        // Counts until the build has been dropped, and with it its Job given up.
        let _underway = self.ends.token();
        let built = self.closing.run_until_cancelled(self.found_or_made(source, limit, log)).await;
        built.unwrap_or_else(|| Err(BuildError::Cluster(ClusterBuildError::Stopping.into())))
    }

    async fn found_or_made(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        let said = self.said().map_err(|error| BuildError::Cluster(error.into()))?;
        let toolchain = self.toolchain(source.language, &said, log).await;
        let runtime = self.runtime(source.language, &said).await;
        let runtime = runtime.map_err(|error| BuildError::Cluster(error.into()))?;
        let (digest, key, recipe) = self.key(source, toolchain.as_ref(), runtime.as_ref())?;
        source.key.is(&key.tag());
        loading::in_image(&*recipe).map_err(|error| BuildError::Source(error.into()))?;
        let _turn = self.turns.take(key).await;
        let build = async {
            let registry = self.registry(&said).await?;
            let secret = said.registry.secret.as_deref();
            let wanted = Wanted {
                source,
                digest,
                toolchain,
                key,
                recipe,
                limit,
                registry,
                runtime,
                said: &said,
                pull_secrets: self.own.pull_secrets(&self.ground.namespace, secret),
            };
            // Boxed: the futures of the API's client are large.
            let made = Box::pin(self.image(&wanted, log)).await?;
            Ok((made, wanted))
        };
        match timeout(limit, build).await {
            Ok(Ok((made, wanted))) => {
                let (name, digest) = (said.repository.to_string(), made.digest.to_string());
                let command = wanted.recipe.form().command();
                Box::pin(self.tell(&wanted, made, log)).await;
                Ok(image_reference(name, digest, Some(command)))
            }
            Ok(Err(ClusterBuildError::Job(JobFailure::Compile(lines)))) => {
                Err(BuildError::Compile(lines))
            }
            Ok(Err(ClusterBuildError::Job(JobFailure::Time))) | Err(_) => {
                Err(BuildError::TimedOut(limit.as_secs_f32()))
            }
            Ok(Err(error)) => Err(BuildError::Cluster(Box::new(error))),
        }
    }

    /// Ends the builds there are, and returns when their Jobs are deleted.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.ends.close();
        if timeout(END, self.ends.wait()).await.is_err() {
            warn!("builds could not be ended in time: another launcher will delete their Jobs");
        }
    }

    /// Whether nodes can be told to run the image: one of the repository that the operator's file
    /// names now, or of the one that is served here. A registry that cannot be asked keeps nobody
    /// from running what a node may have: what is wrong then shows at the pod.
    pub(crate) async fn holds(&self, image: &ImageReference) -> bool {
        let Ok(digest) = image.digest.parse() else { return false };
        let Ok(said) = self.said() else { return false };
        let served = self.served_as(&image.name);
        if served.is_none() && image.name != said.repository.to_string() {
            return false;
        }
        let held = async {
            let registry = match served {
                Some(served) => served.registry()?,
                None => self.registry(&said).await?,
            };
            Ok(registry.holds(digest).await?)
        };
        held.await.unwrap_or_else(|error: ClusterBuildError| {
            warn!(reason = one_line(&error), "cannot tell whether the registry has the image");
            true
        })
    }

    /// What decides the image: the digest of the source, and the key over that and all else; and how
    /// it is made.
    fn key(
        &self,
        source: &StagedSource,
        toolchain: Option<&Toolchain>,
        runtime: Option<&RuntimeImage>,
    ) -> Result<(Sha256, BuildKey, Box<dyn Recipe>), BuildError> {
        let StagedSource { language, path, source, .. } = source;
        let recipe = language
            .recipe(source, path, self.platform)
            .map_err(|refusal| BuildError::Source(refusal.into()))?;
        let digest = source.digest().map_err(|error| BuildError::Source(error.into()))?;
        let base = self.base.diff_id().map_err(|error| BuildError::Image(error.into()))?;
        let runtime = runtime.map(|image| format!("runtime {}", image.digest));
        let inputs: Vec<String> = recipe.inputs().into_iter().chain(runtime).collect();
        let key = BuildKey::new(&BuildKeyInputs {
            source: digest,
            recipe: &inputs,
            toolchain: toolchain.map_or("", |toolchain| &toolchain.identity),
            base,
            platform: self.platform,
        });
        Ok((digest, key, recipe))
    }
}
