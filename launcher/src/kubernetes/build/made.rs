//! An image that a build came to.

use selvedge_buildpack::attestation::Seen;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::Layout;
use selvedge_buildpack::image::oci_spec::image::Descriptor;

use crate::data::TemporaryDirectory;

/// An image that is in the registry, and here.
pub(super) struct Made {
    pub(super) digest: Sha256,
    /// How it came about, as far as this launcher has to tell: not of what another one has built
    /// just now, which tells of it.
    pub(super) seen: Option<Seen>,
    /// Where it is here, but for the layers of its runtime.
    pub(super) images: Layout,
    pub(super) image: Descriptor,
    /// The layers that are here.
    pub(super) layers: Vec<Descriptor>,
    /// What the layout is in.
    pub(super) _files: TemporaryDirectory,
}
