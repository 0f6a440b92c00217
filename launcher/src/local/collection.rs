//! Which images are in use, and the end of those that are not when there are too many.

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{InUse, Layout};
use tracing::{info, warn};

use crate::backend::Kept;
use crate::error_chain::one_line;

/// The bound of an image store.
#[derive(Debug)]
pub(super) struct Collection {
    images: Layout,
    /// What the images may take, in bytes.
    limit: u64,
    in_use: InUse,
}

impl Collection {
    pub(super) fn new(images: Layout, limit: u64) -> Self {
        Self { images, limit, in_use: InUse::default() }
    }

    /// Keeps an image for as long as the result lives.
    pub(super) fn keep(&self, image: Sha256) -> Kept {
        Kept { _token: Some(self.in_use.need(image)) }
    }

    /// Removes what is beyond the bound, and neither in use nor `made` just now.
    pub(super) fn collect(&self, made: Option<Sha256>) {
        let in_use = self.in_use.now();
        let is_spared = |image| made == Some(image) || in_use.contains(image);
        match self.images.collect(self.limit, is_spared) {
            Ok(gone) if gone.images.is_empty() && gone.bytes == 0 => {}
            Ok(gone) => {
                let (images, bytes) = (gone.images.len(), gone.bytes);
                info!(
                    images,
                    bytes, "what no image has, and images not used for longest, are gone"
                );
            }
            Err(error) => {
                warn!(error = one_line(&error), "images beyond the bound cannot be removed");
            }
        }
    }
}
