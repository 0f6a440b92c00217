//! Unpacking an image's files into a directory, for chaincode that runs as a plain process.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration};

use super::{Layout, LayoutError, sha256};
use crate::archive::{ArchiveError, Limits, Modes, gunzip, stage, unpack as unpack_archive};
use crate::digest::{Hashing, Sha256};

/// Why an image could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The manifest, the configuration or a layer could not be read.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A layer could not be unpacked.
    #[error("cannot unpack the image layer {layer}")]
    Layer {
        /// The layer's digest.
        layer: String,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
    /// A layer is not what the image says.
    #[error("the image layer {layer} is damaged: its {what} is {actual}")]
    Damaged {
        /// The layer's digest.
        layer: String,
        /// Which digest is wrong.
        what: &'static str,
        /// What it is.
        actual: Sha256,
    },
    /// Manifest and configuration disagree about the layers.
    #[error("the image {image} has {layers} layers and {diff_ids} diff IDs")]
    Inconsistent {
        /// The image's digest.
        image: String,
        /// Layers in the manifest.
        layers: usize,
        /// Diff IDs in the configuration.
        diff_ids: usize,
    },
    /// The target directory could not be made.
    #[error("cannot unpack into {target}")]
    Target {
        /// The directory.
        target: PathBuf,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
}

/// Unpacks the layers of `image` into the new directory `target` and returns its configuration.
///
/// Every digest is checked on the way; each layer is bounded by [`Limits::LAYER`]. On an error
/// nothing is left.
pub fn unpack(
    layout: &Layout,
    image: &Descriptor,
    target: &Path,
) -> Result<ImageConfiguration, UnpackError> {
    let manifest = layout.manifest(image)?;
    let configuration = layout.configuration(&manifest)?;
    let (layers, diff_ids) = (manifest.layers(), configuration.rootfs().diff_ids());
    if layers.len() != diff_ids.len() {
        return Err(UnpackError::Inconsistent {
            image: image.digest().to_string(),
            layers: layers.len(),
            diff_ids: diff_ids.len(),
        });
    }
    let failed = |source| UnpackError::Target { target: target.to_owned(), source };
    stage(target, failed, |staging| {
        layers
            .iter()
            .zip(diff_ids)
            .try_for_each(|(layer, diff_id)| unpack_layer(layout, layer, diff_id, staging))
    })?;
    Ok(configuration)
}

fn unpack_layer(
    layout: &Layout,
    layer: &Descriptor,
    diff_id: &str,
    staging: &Path,
) -> Result<(), UnpackError> {
    let name = || layer.digest().to_string();
    let failed = |source| UnpackError::Layer { layer: name(), source };
    let digest = sha256(layer)
        .ok_or_else(|| UnpackError::Layer { layer: name(), source: ArchiveError::NotGzip })?;
    // What lies in its place may be far larger, and is not worth reading then.
    let bound = layer.size().min(Limits::LAYER.bytes);
    let mut compressed = Hashing::new(layout.open_blob(digest)?.0.take(bound));
    let mut content = Hashing::new(gunzip(&mut compressed).map_err(failed)?);
    unpack_archive(&mut content, staging, Limits::LAYER, Modes::Layer).map_err(failed)?;
    let (decompressor, actual_diff_id, _) = content.finish();
    drop(decompressor);
    drain(&mut compressed).map_err(failed)?;
    let (_, actual, _) = compressed.finish();
    let wrong = if actual != digest {
        ("digest", actual)
    } else if actual_diff_id.to_string() != diff_id {
        ("diff ID", actual_diff_id)
    } else {
        return Ok(());
    };
    Err(UnpackError::Damaged { layer: name(), what: wrong.0, actual: wrong.1 })
}

/// What a reader has buffered or left must be part of its digest.
pub(super) fn drain(reader: &mut impl Read) -> Result<(), ArchiveError> {
    io::copy(reader, &mut io::sink()).map(drop).map_err(ArchiveError::reading)
}
