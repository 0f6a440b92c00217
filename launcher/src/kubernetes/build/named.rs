//! Images that somebody else made: where they are pulled from, and whether they can be run here.

use oci_client::Reference;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::named_image::NamedImage;
use selvedge_proto::launcher::ImageReference;

use super::builds::Builds;
use crate::backend::{NamedAs, Sighting, Unrunnable};
use crate::error_chain::one_line;
use selvedge_registry::{Presence, command, look_up};
use tracing::warn;

impl Builds {
    /// What nodes are told to pull, by digest. What was built is where it was pushed; what somebody
    /// else made may be somewhere else by now.
    pub(crate) fn pulled(&self, content: PackageContent, image: &ImageReference) -> String {
        let named = format!("{}@{}", image.name, image.digest);
        match content {
            PackageContent::Code(_) => named,
            PackageContent::Image => self.configuration.now().registry().rewritten(&named),
        }
    }

    /// Asks the image's registry for it, for the launcher's own platform, which is that of the
    /// peer's node.
    pub(crate) async fn find(&self, image: &NamedImage) -> Result<Sighting, Unrunnable> {
        let unknown = |error: &dyn std::error::Error| Ok(Sighting::Unknown(one_line(error)));
        let said = match self.said() {
            Ok(said) => said,
            Err(error) => return unknown(&error),
        };
        let name = said.registry.rewritten(&image.to_string());
        let reference: Reference = match name.parse() {
            Ok(reference) => reference,
            Err(error) => return unknown(&error),
        };
        let (plain_http, auth) = self.access_to(reference.registry(), &said).await;
        let presence = match look_up(&reference, plain_http, &auth).await {
            Ok(presence) => presence,
            Err(error) => return unknown(&error),
        };
        let (registry, wanted) = (reference.registry().to_owned(), self.platform);
        let named = NamedAs(Some(image.to_string()).filter(|named| *named != name));
        match presence {
            Presence::Missing => Err(Unrunnable::Missing { registry, image: name, wanted, named }),
            Presence::For(platforms) if platforms.iter().all(|platform| !platform.is(wanted)) => {
                let found: Vec<_> = platforms.iter().map(ToString::to_string).collect();
                let found = found.join(", ");
                Err(Unrunnable::Platform { registry, image: name, found, wanted, named })
            }
            Presence::For(_) | Presence::ForAny => {
                let command = command(&reference, wanted, plain_http, &auth).await;
                // The image is there, and runs all the same.
                let command = command.unwrap_or_else(|error| {
                    warn!(
                        image = name,
                        reason = one_line(&error),
                        "cannot tell what the image runs"
                    );
                    None
                });
                Ok(Sighting::Seen(command))
            }
        }
    }
}
