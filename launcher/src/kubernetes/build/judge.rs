//! What a build left, or what is found in the registry, is an image of ours, or nothing: whoever
//! compiles untrusted code, or may push to the registry, is trusted with no more than the program.

use std::fs::File;
use std::path::Path;

use selvedge_buildpack::archive::{ArchiveError, Limits, Modes, unpack};
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{
    Fault, Layout, LayoutError, Libc, Origin, Runtime, sha256, validate,
};

/// The most that an image may be, in bytes. A static program of the whole Kubernetes has a tenth of
/// that; the launcher keeps what is left and what it unpacks to at once.
pub(super) const IMAGE_LIMIT: u64 = 512 << 20;

/// How much a layout with one image may hold: a few layers, and what describes them.
const LAYOUT: Limits = Limits { bytes: IMAGE_LIMIT, entries: 16 };

/// Why an image is not taken.
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
    #[error("the image is faulty: {first} ({count} in all)")]
    Faulty { first: Fault, count: usize },
    #[error("the image is not what its source, base and platform make")]
    Origin,
    #[error(
        "{path} was compiled against {needed}, and the image {runtime} that it is to run on has \
         {has}: choose builds.toolchains and builds.runtimes with one C library"
    )]
    Libc { path: String, needed: Libc, runtime: String, has: Libc },
    #[error("the image is no image of ours, or larger than {} MiB", IMAGE_LIMIT >> 20)]
    Unfit,
}

/// Unpacks `upload` into the new directory `target` and looks at all of it.
pub(super) fn judge(
    upload: &Path,
    target: &Path,
    origin: &Origin,
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
    look_at(&layout, &image, origin)?;
    Ok((layout, image))
}

/// Looks at all of an image in the layout.
pub(super) fn look_at(
    layout: &Layout,
    image: &Descriptor,
    origin: &Origin,
) -> Result<(), Rejected> {
    let digest = sha256(image).ok_or(Rejected::Origin)?;
    let mut faults = validate(layout, digest)?;
    if !faults.is_empty() {
        let count = faults.len();
        return Err(Rejected::Faulty { first: faults.remove(0), count });
    }
    if origin.made(layout, image)? { Ok(()) } else { Err(Rejected::Origin) }
}

/// Looks at all of an image in the layout that stands on a runtime, but for the runtime's own layers:
/// which those are, its manifest says.
pub(super) fn look_over(
    layout: &Layout,
    image: &Descriptor,
    runtime: &Runtime,
    origin: &Origin,
) -> Result<(), Rejected> {
    let lifted = runtime.lifted(layout, image, origin)?;
    look_at(layout, &lifted.ok_or(Rejected::Origin)?, origin)
}
