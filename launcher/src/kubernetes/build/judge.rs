//! What a build left is an image of ours, or nothing: whoever compiles untrusted code is trusted
//! with no more than the program that comes of it.

use std::fs::File;
use std::path::Path;

use selvedge_buildpack::archive::{ArchiveError, Limits, Modes, unpack};
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{Fault, Layout, LayoutError, Origin, sha256, validate};

use super::exchange::UPLOAD_LIMIT;

/// How much a layout with one image may hold: two layers, and what describes them.
const LAYOUT: Limits = Limits { bytes: UPLOAD_LIMIT, entries: 16 };

/// Why what a build left is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejected {
    #[error("cannot open what the build left")]
    Open(#[source] std::io::Error),
    #[error("what the build left cannot be unpacked")]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("the build left {0} images instead of one")]
    Number(usize),
    #[error("the build's image is faulty: {first} ({count} in all)")]
    Faulty { first: Fault, count: usize },
    #[error("the build's image is not what its source, base and platform make")]
    Origin,
}

/// Unpacks `upload` into the new directory `target` and looks at all of it.
pub(super) fn judge(
    upload: &Path,
    target: &Path,
    origin: Origin,
) -> Result<(Layout, Descriptor), Rejected> {
    let archive = File::open(upload).map_err(Rejected::Open)?;
    std::fs::create_dir(target).map_err(Rejected::Open)?;
    unpack(archive, target, LAYOUT, Modes::Source)?;
    let layout = Layout::open(target)?;
    let mut images = layout.images()?;
    let image = match images.len() {
        1 => images.remove(0),
        number => return Err(Rejected::Number(number)),
    };
    let digest = sha256(&image).ok_or(Rejected::Origin)?;
    let mut faults = validate(&layout, digest)?;
    if !faults.is_empty() {
        let count = faults.len();
        return Err(Rejected::Faulty { first: faults.remove(0), count });
    }
    if origin.made(&layout, &image)? { Ok((layout, image)) } else { Err(Rejected::Origin) }
}
