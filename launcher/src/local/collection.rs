//! Which images are in use, and the end of those that are not when there are too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::Layout;
use tracing::{info, warn};

use crate::backend::Kept;
use crate::error_chain::one_line;

/// The bound of an image store.
#[derive(Debug)]
pub(super) struct Collection {
    images: Layout,
    /// What the images may take, in bytes.
    limit: u64,
    /// Locked while images are collected: who needs one finds it afterwards, or finds it gone.
    in_use: Mutex<HashMap<Sha256, Weak<()>>>,
}

impl Collection {
    pub(super) fn new(images: Layout, limit: u64) -> Self {
        Self { images, limit, in_use: Mutex::default() }
    }

    /// Keeps an image for as long as the result lives.
    pub(super) fn keep(&self, image: Sha256) -> Kept {
        let mut in_use = self.in_use();
        in_use.retain(|_, token| token.strong_count() > 0);
        let token = in_use.get(&image).and_then(Weak::upgrade).unwrap_or_default();
        in_use.insert(image, Arc::downgrade(&token));
        Kept { _token: Some(token) }
    }

    /// Removes what is beyond the bound, and neither in use nor `made` just now.
    pub(super) fn collect(&self, made: Option<Sha256>) {
        let in_use = self.in_use();
        let is_spared = |image| {
            made == Some(image) || in_use.get(&image).is_some_and(|token| token.strong_count() > 0)
        };
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

    fn in_use(&self) -> MutexGuard<'_, HashMap<Sha256, Weak<()>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
