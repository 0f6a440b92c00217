//! Images in the API's words: what a build says of its own, a launch is told again.

use selvedge_buildpack::image::ImageCommand;
use selvedge_proto::launcher::{self as api, ImageReference};

/// An image that a builder is told of.
pub(crate) fn image_reference(
    name: String,
    digest: String,
    command: Option<ImageCommand>,
) -> ImageReference {
    let command =
        command.map(|ImageCommand { entrypoint, cmd }| api::ImageCommand { entrypoint, cmd });
    ImageReference { name, digest, command }
}

/// What an image has a container run, if its build could tell.
pub(crate) fn command_of(image: &ImageReference) -> Option<ImageCommand> {
    let api::ImageCommand { entrypoint, cmd } = image.command.clone()?;
    Some(ImageCommand { entrypoint, cmd })
}
