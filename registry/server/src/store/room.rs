//! The bound: room is promised before a byte is written, and what was not used for longest goes for it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::SystemTime;

use selvedge_buildpack::image::{Collected, LayoutError};
use tracing::{info, warn};

use super::Store;
use crate::fault::Fault;

/// Room for bytes that are on their way. What is not written is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Promise {
    store: Arc<Store>,
    left: u64,
}

impl Promise {
    /// How much of it is left, in bytes.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// So much of it was written, and is on the disk to be counted.
    pub(crate) fn written(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        *self.store.promised() -= bytes;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        *self.store.promised() -= self.left;
    }
}

impl Store {
    /// Promises room for so many bytes, for which images that nobody uses may go.
    pub(crate) fn promise(self: &Arc<Self>, bytes: u64) -> Result<Promise, Fault> {
        let limit = self.bounds.limit;
        if bytes > limit {
            return Err(Fault::TooLarge { asked: bytes, limit });
        }
        // Held until it is promised: nobody else is promised the same.
        let mut promised = self.promised();
        let wanted = *promised + bytes;
        if self.excess(wanted)? > 0 {
            self.forget_uploads();
            self.collect(u64::MAX)?;
        }
        let excess = self.excess(wanted)?;
        if excess > 0 {
            self.collect(self.layout.image_bytes()?.saturating_sub(excess))?;
        }
        if self.excess(wanted)? > 0 {
            let taken = self.taken()? + *promised;
            return Err(Fault::NoRoom { asked: bytes, taken, limit: self.capacity()? });
        }
        *promised = wanted;
        Ok(Promise { store: Arc::clone(self), left: bytes })
    }

    /// By how much so many bytes more are too many.
    fn excess(&self, bytes: u64) -> Result<u64, Fault> {
        Ok((self.taken()?.saturating_add(bytes)).saturating_sub(self.capacity()?))
    }

    /// What there may be: the bound, or what the volume has room for, if that is less.
    fn capacity(&self) -> Result<u64, Fault> {
        let free = free(self.layout.root())?;
        Ok(self.bounds.limit.min(self.taken()?.saturating_add(free)))
    }

    /// What there is, in bytes.
    fn taken(&self) -> Result<u64, Fault> {
        Ok(bytes_in(&self.layout.blobs())? + bytes_in(&self.uploads)?)
    }

    /// Removes images, those not used for longest first, until the others take no more than so many
    /// bytes, and what has been of no image for a while.
    pub(super) fn collect(&self, limit: u64) -> Result<Collected, LayoutError> {
        let in_use = self.in_use.now();
        let since = SystemTime::now().checked_sub(self.bounds.unfinished);
        let since = since.unwrap_or(SystemTime::UNIX_EPOCH);
        let gone = self.layout.collect_but_since(limit, |image| in_use.contains(image), since)?;
        if gone != Collected::default() {
            let (images, bytes) = (gone.images.len(), gone.bytes);
            info!(images, bytes, "what no image has, and images not used for longest, are gone");
        }
        Ok(gone)
    }

    /// Says so if the volume cannot hold what it is allowed to.
    pub(super) fn warn_of_a_small_volume(&self) {
        let root = self.layout.root();
        match size(root) {
            Ok(size) if size < self.bounds.limit => warn!(
                path = %root.display(),
                size,
                limit = self.bounds.limit,
                "the registry's volume is smaller than registry.serve.limit: images go when it is full"
            ),
            Ok(_) => {}
            Err(error) => warn!(%error, "cannot tell how large the registry's volume is"),
        }
    }

    fn promised(&self) -> MutexGuard<'_, u64> {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the files of a directory take, in bytes. One that goes meanwhile takes nothing.
fn bytes_in(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        match entry?.metadata() {
            Ok(metadata) if metadata.is_file() => bytes += metadata.len(),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// What a file system has room for, in bytes.
fn free(on: &Path) -> io::Result<u64> {
    let said = rustix::fs::statvfs(on)?;
    Ok(said.f_bavail.saturating_mul(said.f_frsize))
}

/// How large a file system is, in bytes.
fn size(of: &Path) -> io::Result<u64> {
    let said = rustix::fs::statvfs(of)?;
    Ok(said.f_blocks.saturating_mul(said.f_frsize))
}
