//! Why it cannot be told what an image is made of.

use std::io;
use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::image::LayoutError;

/// The most things that one image is told to be made of: ten times what large Node programs have.
pub(super) const MOST: usize = 20_000;

/// Why it cannot be told what an image is made of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SbomError {
    /// It is not there.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A layer cannot be read.
    #[error("cannot read the image layer {layer}")]
    Layer {
        /// Its digest.
        layer: String,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
    /// No place for what is looked into.
    #[error("cannot use {path}")]
    Scratch {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// There is too much of it.
    #[error("it is made of more than {MOST} things")]
    TooMany,
}
