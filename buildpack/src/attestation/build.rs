//! What an image was made of and by, as far as it is known to who orders it.

use crate::digest::Sha256;
use crate::language::Language;
use crate::platform::Platform;

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
