//! Blobs that are what their names say. Each is read once before it is given to anybody, since a volume
//! may have been damaged, or restored, while nobody looked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use selvedge_buildpack::digest::{Hashing, Sha256};

/// What was read already.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<HashMap<Sha256, FileId>>);

/// The same file: its number, and how long it is.
type FileId = (u64, u64);

impl Verified {
    /// Whether the file has that digest.
    pub(super) fn is_sound(&self, digest: Sha256, file: &File) -> io::Result<bool> {
        let id = id(file)?;
        if self.known().get(&digest) == Some(&id) {
            return Ok(true);
        }
        if of(file)? != digest {
            return Ok(false);
        }
        self.known().insert(digest, id);
        Ok(true)
    }

    /// The file was read just now, and has that digest.
    pub(super) fn know(&self, digest: Sha256, file: &File) -> io::Result<()> {
        let id = id(file)?;
        self.known().insert(digest, id);
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Sha256, FileId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest of all that is in a file, which then stands where it stood.
pub(super) fn of(file: &File) -> io::Result<Sha256> {
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut file, &mut hashing)?;
    file.seek(SeekFrom::Start(0))?;
    let (_, digest, _) = hashing.finish();
    Ok(digest)
}

fn id(file: &File) -> io::Result<FileId> {
    let metadata = file.metadata()?;
    Ok((metadata.ino(), metadata.len()))
}
