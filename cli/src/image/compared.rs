//! What came of holding an image against a package.

use selvedge_buildpack::digest::Sha256;
use serde::Serialize;

/// What came of the comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    /// The package.
    pub(crate) package_id: Option<String>,
    /// The digest of its source.
    pub(crate) source: Sha256,
    /// Why the image is not of it; none if it is.
    pub(crate) reason: Option<String>,
}
