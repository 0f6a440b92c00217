//! What is told of an image in the registry, beside it. It is made here, of what was judged here, and
//! after the build is over: an image is the same without it, so nothing fails for want of it.

use std::error::Error;
use std::time::Duration;

use selvedge_buildpack::attestation::{Build, Ingredient, Seen, attest};
use selvedge_buildpack::image::ReferrerKind;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use super::builds::Builds;
use super::made::Made;
use super::making::Wanted;
use crate::error_chain::one_line;

/// How long an install waits for it at most.
const LIMIT: Duration = Duration::from_secs(20);

type Failure = Box<dyn Error + Send + Sync>;

impl Builds {
    /// Tells of an image, unless it was found with all that there is to tell of it, or whoever has
    /// built it does.
    pub(super) async fn tell(&self, wanted: &Wanted<'_>, made: Made, log: &mpsc::Sender<String>) {
        let Some(seen) = made.seen else { return };
        let image = made.digest;
        let reason = match timeout(LIMIT, self.told(wanted, made, seen)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => one_line(&*error),
            Err(_) => format!("it took more than {} s", LIMIT.as_secs()),
        };
        warn!(%image, ?seen, reason, "nothing is told of the image");
        let _ = log.send(format!("the image gets no SBOM and no provenance: {reason}")).await;
    }

    async fn told(&self, wanted: &Wanted<'_>, made: Made, seen: Seen) -> Result<(), Failure> {
        let Made { digest, images, image, layers, _files, .. } = made;
        if seen == Seen::Found {
            let told = wanted.registry.referrers(digest).await?;
            let is_told = |kind: &ReferrerKind| told.iter().any(|told| told.kind == *kind);
            if ReferrerKind::ALL.iter().all(is_told) {
                return Ok(());
            }
        }
        let build = self.ordered(wanted, seen)?;
        let kept = images.clone();
        let telling = spawn_blocking(move || attest(&kept, &image, &layers, &build));
        let referrers = telling.await??;
        Ok(wanted.registry.refer(&images, digest, &referrers).await?)
    }

    fn ordered(&self, wanted: &Wanted<'_>, seen: Seen) -> Result<Build, Failure> {
        let runtime = wanted
            .runtime
            .as_ref()
            .map(|image| Ingredient { name: image.to_string(), digest: image.digest.parse().ok() });
        let toolchain = wanted.toolchain.as_ref().map(|toolchain| Ingredient {
            name: toolchain.image.clone(),
            digest: toolchain.identity.parse().ok(),
        });
        Ok(Build {
            language: wanted.source.language,
            path: wanted.source.path.clone(),
            label: wanted.source.label.clone(),
            source: wanted.digest,
            base: self.base.diff_id()?,
            runtime,
            toolchain,
            recipe: wanted.recipe.inputs(),
            platform: self.platform,
            seen,
        })
    }
}
