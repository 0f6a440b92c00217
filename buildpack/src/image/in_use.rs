//! Which images of a layout are needed just now: these stay, however many there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::digest::Sha256;

/// The images that somebody needs.
#[derive(Debug, Default)]
pub struct InUse(Mutex<Needs>);

/// Those of one moment, which lasts as long as this is held.
#[derive(Debug)]
pub struct InUseNow<'a>(MutexGuard<'a, Needs>);

type Needs = HashMap<Sha256, Weak<()>>;

impl InUse {
    /// The image is needed for as long as what is returned lives.
    pub fn need(&self, image: Sha256) -> Arc<()> {
        let mut needs = self.lock();
        needs.retain(|_, need| need.strong_count() > 0);
        let need = needs.get(&image).and_then(Weak::upgrade).unwrap_or_default();
        needs.insert(image, Arc::downgrade(&need));
        need
    }

    /// Holds the moment for a collection: who needs an image finds it afterwards, or finds it gone.
    pub fn now(&self) -> InUseNow<'_> {
        InUseNow(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Needs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUseNow<'_> {
    /// Whether somebody needs the image.
    pub fn contains(&self, image: Sha256) -> bool {
        self.0.get(&image).is_some_and(|need| need.strong_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_needed_until_the_last_who_needs_it_is_gone() {
        let (in_use, image) = (InUse::default(), Sha256::of(b"image"));
        assert!(!in_use.now().contains(image));
        let needs = [in_use.need(image), in_use.need(image)];
        assert!(in_use.now().contains(image));
        let [first, last] = needs;
        drop(first);
        assert!(in_use.now().contains(image));
        drop(last);
        assert!(!in_use.now().contains(image));
        assert!(!in_use.now().contains(Sha256::of(b"another")));
    }
}
