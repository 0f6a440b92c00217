//! What can be wrong with an image.

use crate::digest::Sha256;

/// One thing that is wrong with an image. Blobs are named by the digest they are kept under.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The index does not list the image.
    #[error("image {0} is not in the index")]
    NotInIndex(Sha256),
    /// A descriptor names no SHA-256 digest.
    #[error("`{0}` is not a SHA-256 digest")]
    Algorithm(String),
    /// A blob is missing or cannot be read.
    #[error("blob {blob} cannot be read: {reason}")]
    Unreadable {
        /// The blob.
        blob: Sha256,
        /// Why.
        reason: String,
    },
    /// A blob's content has another digest than its name.
    #[error("blob {blob} has the digest {actual}")]
    Digest {
        /// The blob.
        blob: Sha256,
        /// What its content hashes to.
        actual: Sha256,
    },
    /// A blob is larger or smaller than its descriptor says.
    #[error("blob {blob} has {actual} bytes, its descriptor says {expected}")]
    Size {
        /// The blob.
        blob: Sha256,
        /// What the descriptor says.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// A descriptor or document has the wrong media type.
    #[error("blob {blob} has the media type `{actual}` instead of `{expected}`")]
    MediaType {
        /// The blob.
        blob: Sha256,
        /// What it should be.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// A manifest or configuration is not the document it should be.
    #[error("blob {blob} is malformed: {reason}")]
    Malformed {
        /// The blob.
        blob: Sha256,
        /// How.
        reason: String,
    },
    /// A layer's content has another digest than the configuration says.
    #[error("layer {layer} has the diff ID {actual}, the configuration says {expected}")]
    DiffId {
        /// The layer.
        layer: Sha256,
        /// What the configuration says.
        expected: String,
        /// What it is.
        actual: Sha256,
    },
    /// Manifest, configuration and history do not have the same number of layers.
    #[error("the configuration has {actual} {what}, the manifest has {layers} layers")]
    Count {
        /// What was counted.
        what: &'static str,
        /// Layers in the manifest.
        layers: usize,
        /// How many there are.
        actual: usize,
    },
    /// The configuration says something it should not.
    #[error("the configuration's {field} is `{actual}` instead of `{expected}`")]
    Configuration {
        /// Which field.
        field: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// A layer cannot be read as a compressed tar.
    #[error("layer {layer} {reason}")]
    Layer {
        /// The layer.
        layer: Sha256,
        /// Why; reads on from the layer's digest.
        reason: String,
    },
    /// An entry in a layer is unsafe, or differs from machine to machine.
    #[error("layer {layer}: `{path}` {reason}")]
    Entry {
        /// The layer.
        layer: Sha256,
        /// The entry's path.
        path: String,
        /// What is wrong; reads on from the path.
        reason: String,
    },
    /// The program that the image starts is not in it, or cannot be executed.
    #[error("the program `{0}` is not an executable file of the image")]
    Program(String),
}
