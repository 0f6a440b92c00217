//! What is told of an image beside it: what it is made of ([`sbom`]) and how it came about
//! ([`provenance`]). Both are documents that refer to the image and change nothing of it.
//!
//! They are derived by whoever keeps the image, from what lies there and what it was ordered from;
//! a build, which is not trusted, has no word in them. Nobody signs them: they are worth as much as
//! the store or registry that they lie in.

mod provenance;
mod sbom;

use oci_spec::image::Descriptor;

use crate::digest::Sha256;
use crate::image::{Layout, LayoutError, ReferrerKind};
use crate::language::Language;
use crate::platform::Platform;

pub use provenance::{Dependency, Statement};
pub use sbom::{Bom, SbomError};

/// What an image was ordered from, and how it came into the hands of who tells of it.
#[derive(Clone, Debug)]
pub struct Build {
    /// The language of the chaincode.
    pub language: Language,
    /// What the package's metadata says is to be built.
    pub path: String,
    /// The package's label. Not its ID: a peer tells nobody whom it has build for it
    /// (Fabric `core/container/externalbuilder`).
    pub label: String,
    /// The digest of the source.
    pub source: Sha256,
    /// [`Base::diff_id`](crate::image::Base::diff_id).
    pub base: Sha256,
    /// The image that the base lies over.
    pub runtime: Option<Ingredient>,
    /// What compiled.
    pub toolchain: Option<Ingredient>,
    /// [`Recipe::inputs`](crate::recipe::Recipe::inputs).
    pub recipe: Vec<String>,
    /// What it is for.
    pub platform: Platform,
    /// Whether who tells of it has made it.
    pub seen: Seen,
}

/// Something that an image was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingredient {
    /// An image's name, or what a tool says its version is.
    pub name: String,
    /// The image's digest, if it is one and known by it.
    pub digest: Option<Sha256>,
}

/// How an image came into the hands of who tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its build was ordered and seen to its end.
    Built,
    /// It was found where such a build would have left it, and it is what that would have made, but
    /// for the program: who made it is not known.
    Found,
}

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
