//! Uploads that have not ended. All there is of one is its file: whoever asks for it, after a crash, too,
//! finds what has been written and goes on from there, and at the end all of it is read again and held
//! against its digest. So nothing that a crash tore becomes a blob.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use selvedge_buildpack::digest::Sha256;
use tracing::{info, warn};

use super::{Store, verified};
use crate::fault::Fault;

/// How many may be begun and not ended.
const MOST: usize = 256;

/// How long one may be another's before it is said to be, and a pause before it is tried again.
const MOMENT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// How many random bytes name one.
const NAME: usize = 16;

/// What an upload is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadId(String);

impl UploadId {
    fn new() -> io::Result<Self> {
        let mut random = [0; NAME];
        getrandom::fill(&mut random)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(random))))
    }

    /// A name that was sent: it becomes a file's.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 2 * NAME && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Fault::UploadUnknown)
        }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An upload that one request has for itself.
#[derive(Debug)]
pub(crate) struct Upload {
    /// What it is called.
    pub(crate) id: UploadId,
    /// Its file, which stands at its end, and is locked as long as this lives.
    pub(crate) file: File,
    /// How many bytes are there.
    pub(crate) size: u64,
}

impl Store {
    /// Begins one.
    pub(crate) fn begin(&self) -> Result<UploadId, Fault> {
        if fs::read_dir(&self.uploads)?.count() >= MOST {
            self.forget_uploads();
            if fs::read_dir(&self.uploads)?.count() >= MOST {
                return Err(Fault::TooMany);
            }
        }
        let id = UploadId::new()?;
        File::create_new(self.upload(&id))?;
        Ok(id)
    }

    /// Takes one up where it ended. Blocks for a moment while another request has it.
    pub(crate) fn go_on(&self, id: UploadId) -> Result<Upload, Fault> {
        let opened = File::options().read(true).write(true).open(self.upload(&id));
        let mut file = opened.map_err(unknown)?;
        lock(&file)?;
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Upload { id, file, size })
    }

    /// How many bytes of one are there.
    pub(crate) fn uploaded(&self, id: &UploadId) -> Result<u64, Fault> {
        Ok(fs::metadata(self.upload(id)).map_err(unknown)?.len())
    }

    /// Ends one: it becomes the blob of that digest, or, if it is something else, is gone.
    pub(crate) fn finish(&self, upload: &Upload, digest: Sha256) -> Result<(), Fault> {
        let path = self.upload(&upload.id);
        let sent = verified::of(&upload.file)?;
        if sent != digest {
            fs::remove_file(path)?;
            return Err(Fault::Lie { said: digest, sent });
        }
        self.layout.take_in(&path, digest)?;
        Ok(self.verified.know(digest, &upload.file)?)
    }

    /// Forgets one.
    pub(crate) fn cancel(&self, id: &UploadId) -> Result<(), Fault> {
        fs::remove_file(self.upload(id)).map_err(unknown)
    }

    /// Forgets those with which nobody has gone on for a while.
    pub(super) fn forget_uploads(&self) {
        let now = SystemTime::now();
        for upload in fs::read_dir(&self.uploads).into_iter().flatten().flatten() {
            let modified = upload.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_none_or(|age| age < self.bounds.unfinished) || is_busy(&upload.path()) {
                continue;
            }
            match fs::remove_file(upload.path()) {
                Ok(()) => info!(upload = ?upload.file_name(), "an upload that did not end is gone"),
                Err(error) => {
                    warn!(upload = ?upload.file_name(), %error, "cannot forget an upload");
                }
            }
        }
    }

    fn upload(&self, id: &UploadId) -> PathBuf {
        self.uploads.join(&id.0)
    }
}

/// What it means that there is no file of an upload.
fn unknown(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::UploadUnknown,
        _ => error.into(),
    }
}

/// Locks an upload. A process that this one is just starting has the locks of all files until it becomes
/// another program, and a request that broke off may not have ended: so it is tried for a moment.
fn lock(file: &File) -> Result<(), Fault> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < MOMENT => sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(Fault::UploadBusy),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

/// Whether a request has it.
fn is_busy(upload: &Path) -> bool {
    let tried = File::open(upload).map(|file| file.try_lock());
    matches!(tried, Ok(Err(TryLockError::WouldBlock)))
}

/// An upload that nobody can go on with, since nobody was told of it: it goes with this, unless it has
/// become a blob.
#[derive(Debug)]
pub(crate) struct Unnamed {
    store: Arc<Store>,
    id: UploadId,
}

impl Unnamed {
    /// Begins one.
    pub(crate) fn begin(store: &Arc<Store>) -> Result<Self, Fault> {
        Ok(Self { id: store.begin()?, store: Arc::clone(store) })
    }

    /// What it is called.
    pub(crate) fn id(&self) -> UploadId {
        self.id.clone()
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        // One that became a blob is not there any more.
        let _ = self.store.cancel(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_another_is_about_to_leave_is_waited_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [one, other] = [(), ()].map(|()| File::open(file.path()).unwrap());
        one.lock().unwrap();
        assert!(matches!(lock(&other), Err(Fault::UploadBusy)));
        let leaving = std::thread::spawn(move || {
            sleep(PAUSE);
            drop(one);
        });
        lock(&other).unwrap();
        leaving.join().unwrap();
    }
}
