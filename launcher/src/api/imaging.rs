//! How what a builder sent becomes an image: code is built, an image that somebody else made is
//! looked for.

use std::time::Duration;

use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Status;
use tracing::warn;

use super::shared::failed;
use crate::backend::{Backend, BuildError, Sighting};
use crate::image_reference::image_reference;
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
            let seen = timeout(limit, backend.find(&image)).await;
            let seen = seen.map_err(|_| failed(&BuildError::TimedOut(limit.as_secs_f32())))?;
            let command = match seen.map_err(|error| failed(&error))? {
                Sighting::Seen(command) => command,
                // Why it cannot be pulled then, the kubelet tells.
                Sighting::Unknown(reason) => {
                    warn!(image = %image, reason, "cannot tell whether the image is there");
                    let line = format!(
                        "cannot tell whether the image {image} is there, and for which platform: \
                         {reason}"
                    );
                    let _ = log.send(line).await;
                    None
                }
            };
            // Its own name: where it is fetched from may be another place tomorrow.
            Ok(image_reference(image.name().into(), image.digest().to_string(), command))
        }
    }
}
