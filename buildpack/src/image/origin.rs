//! Whether an image that somebody else assembled is what this assembly would make.

use super::config::{configuration, manifest};
use super::descriptor::canonical_json;
use super::{Layout, LayoutError, sha256};
use crate::digest::Sha256;
use crate::platform::Platform;
use oci_spec::image::Descriptor;

/// What an image should have been made from; only its program is unknown.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// [`Base::diff_id`](super::Base::diff_id).
    pub base: Sha256,
    /// The digest of the source.
    pub source: Sha256,
    /// What it is for.
    pub platform: Platform,
}

impl Origin {
    /// Whether manifest and configuration are, byte for byte, those of an image that
    /// [`assemble`](super::assemble) makes: of this base, source and platform, and of some
    /// program. That the layers are what the two say is for [`validate`](super::validate) to tell.
    pub fn made(&self, layout: &Layout, image: &Descriptor) -> Result<bool, LayoutError> {
        let found = layout.manifest(image)?;
        let configured = layout.configuration(&found)?;
        let diff_ids: Vec<Sha256> = configured
            .rootfs()
            .diff_ids()
            .iter()
            .filter_map(|diff_id| diff_id.parse().ok())
            .collect();
        let [base, _program] = diff_ids[..] else { return Ok(false) };
        if base != self.base || found.layers().len() != 2 || sha256(found.config()).is_none() {
            return Ok(false);
        }
        let malformed = |source| LayoutError::Malformed { path: layout.root().to_owned(), source };
        let config = configuration(self.platform, self.source, &diff_ids)?;
        let config = canonical_json(&config).map_err(malformed)?;
        // Descriptors without anything besides what a reader needs, as assembly makes them.
        let plain = |descriptor: &Descriptor| {
            let kind = descriptor.media_type().clone();
            Descriptor::new(kind, descriptor.size(), descriptor.digest().clone())
        };
        let layers = found.layers().iter().map(plain).collect();
        let manifest = canonical_json(&manifest(plain(found.config()), layers)?);
        Ok(layout.read_blob(found.config())? == config
            && layout.read_blob(image)? == manifest.map_err(malformed)?)
    }
}
