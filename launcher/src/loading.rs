//! Whether a program finds where it runs what loads it, which would otherwise show at its start, as
//! a file that is not there.

use std::path::Path;

use selvedge_buildpack::recipe::Recipe;

/// Why a program cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLoaded {
    #[error(
        "the program is linked dynamically, and this machine has no {0} to load it: compile it for \
         this machine's libraries or link it statically (Go: CGO_ENABLED=0)"
    )]
    Here(String),
    #[error(
        "the program is linked dynamically, and a chaincode's image has no libraries, nor {0} to \
         load it: link it statically (Go: CGO_ENABLED=0)"
    )]
    Image(String),
}

/// As a process of this machine.
pub(crate) fn here(recipe: &dyn Recipe) -> Result<(), NotLoaded> {
    match recipe.loader() {
        Some(loader) if !Path::new(loader).exists() => Err(NotLoaded::Here(loader.to_owned())),
        _ => Ok(()),
    }
}

/// In an image, of which the program is all.
pub(crate) fn in_image(recipe: &dyn Recipe) -> Result<(), NotLoaded> {
    recipe.loader().map_or(Ok(()), |loader| Err(NotLoaded::Image(loader.to_owned())))
}
