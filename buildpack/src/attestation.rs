//! What is told of an image beside it: what it is made of ([`sbom`]) and how it came about
//! ([`provenance`]). Both are documents that refer to the image and change nothing of it.
//!
//! They are derived by whoever keeps the image, from what lies there and what it was ordered from;
//! a build, which is not trusted, has no word in them. Nobody signs them: they are worth as much as
//! the store or registry that they lie in.

mod build;
mod provenance;
mod sbom;

use oci_spec::image::Descriptor;

use crate::image::{Layout, LayoutError, ReferrerKind};

pub use build::{Build, Ingredient, Seen};
pub use provenance::{Dependency, Statement};
pub use sbom::{Bom, SbomError};

/// Why an image has nothing told beside it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// What it is made of cannot be told.
    #[error("cannot tell what the image is made of")]
    Sbom(#[from] SbomError),
    /// It cannot be kept.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// Tells of an image in the layout, and keeps what is told beside it; its manifests. Its layers are
/// those of the base and what lies over it, without those of a runtime, which need not be there.
pub fn attest(
    layout: &Layout,
    image: &Descriptor,
    layers: &[Descriptor],
    build: &Build,
) -> Result<Vec<Descriptor>, AttestError> {
    let sbom = sbom::document(layout, image, layers, build)?;
    let statement = provenance::document(image, build);
    let documents = [(ReferrerKind::Sbom, sbom), (ReferrerKind::Provenance, statement)];
    let kept = documents.into_iter().map(|(kind, document)| layout.refer(image, kind, &document));
    Ok(kept.collect::<Result<_, _>>()?)
}
