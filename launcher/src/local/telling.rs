//! What is told of the images in the store, beside them. An image is the same without it, so nothing
//! fails for want of it.

use selvedge_buildpack::attestation::{AttestError, Build, Seen, attest};
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{Layout, ReferrerKind, sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::LocalBackend;
use crate::error_chain::one_line;

impl LocalBackend {
    /// Tells of an image, unless it was found with all that there is to tell of it.
    pub(super) async fn tell(&self, image: &Descriptor, build: Build, log: &mpsc::Sender<String>) {
        let (images, described) = (self.images.clone(), image.clone());
        let told = spawn_blocking(move || tell(&images, &described, &build)).await;
        let reason = match told {
            Ok(Ok(())) => return,
            Ok(Err(error)) => one_line(&error),
            Err(error) => one_line(&error),
        };
        warn!(image = %image.digest(), reason, "nothing is told of the image");
        let _ = log.send(format!("the image gets no SBOM and no provenance: {reason}")).await;
    }
}

fn tell(images: &Layout, image: &Descriptor, build: &Build) -> Result<(), AttestError> {
    if build.seen == Seen::Found && is_told_of(images, image) {
        return Ok(());
    }
    let layers = images.manifest(image)?.layers().clone();
    attest(images, image, &layers, build).map(drop)
}

fn is_told_of(images: &Layout, image: &Descriptor) -> bool {
    let told = sha256(image).and_then(|image| images.referrers(image).ok()).unwrap_or_default();
    ReferrerKind::ALL.iter().all(|kind| told.iter().any(|referrer| referrer.kind == *kind))
}
