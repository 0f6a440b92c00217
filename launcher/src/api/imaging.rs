//! How what a builder sent becomes an image: code is built, an image that somebody else made is
//! looked for.

use std::time::Duration;

use selvedge_buildpack::named_image::NamedImage;
use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Status;
use tracing::warn;

use super::shared::failed;
use crate::backend::{Backend, BuildError, Sighting};
use crate::source::Received;

/// The image of what was received. Lines go to `log`, which ends with this.
pub(super) async fn image_of(
    received: Received,
    backend: &dyn Backend,
    limit: Duration,
    log: mpsc::Sender<String>,
) -> Result<ImageReference, Status> {
    match received {
        Received::Code(source) => {
            backend.build(&source, limit, &log).await.map_err(|error| failed(&error))
        }
        Received::Image(image) => {
            let seen = timeout(limit, look_for(&image, backend)).await;
            let too_late = |_| failed(&BuildError::TimedOut(limit.as_secs_f32()));
            if let Some(line) = seen.map_err(too_late)?? {
                let _ = log.send(line).await;
            }
            // Its own name: where it is fetched from may be another place tomorrow.
            Ok(ImageReference { name: image.name().into(), digest: image.digest().to_string() })
        }
    }
}

/// Looks for an image that somebody else made; what there is to say if it was not seen. Why it
/// cannot be pulled then, the kubelet tells.
async fn look_for(image: &NamedImage, backend: &dyn Backend) -> Result<Option<String>, Status> {
    match backend.find(image).await.map_err(|error| failed(&error))? {
        Sighting::Seen => Ok(None),
        Sighting::Unknown(reason) => {
            warn!(image = %image, reason, "cannot tell whether the image is there");
            Ok(Some(format!(
                "cannot tell whether the image {image} is there, and for which platform: {reason}"
            )))
        }
    }
}
