//! The files of a repository that are kept for other builds: whole, each with the checksum by which it
//! was taken, and by which it is looked at whenever it is used.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::recipe::{CHECKSUM, Dependencies, MIRRORS, Mirror, RepositoryPath};
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::super::in_use::in_use_since;
use super::needs::Needs;
use super::order::MirrorJob;

/// The largest file that is kept, in bytes.
const LARGEST: u64 = 512 << 20;

/// Where files are until they are whole.
const COMING: &str = "coming";

/// Where it is noted what was asked for.
const NOTES: &str = "asked";

/// What is kept of one repository. Of two repositories none has the other's files, though they may be
/// the same.
pub(super) struct Keep {
    root: PathBuf,
    coming: PathBuf,
    pub(super) needs: Needs,
    shared: Dependencies,
    limit: u64,
    time: u64,
    /// How much more may be kept, in bytes: known once it was looked what there is, for the first file
    /// that comes.
    room: OnceCell<Mutex<u64>>,
}

/// A file that comes, and has its room. One that is not kept in the end is gone without a trace.
pub(super) struct Coming {
    claim: Claim,
    file: NamedTempFile,
    to: tokio::fs::File,
    written: u64,
    sum: Sha1,
}

/// Room that is taken, and given back unless it is spent.
struct Claim {
    keep: Arc<Keep>,
    bytes: u64,
}

impl Claim {
    fn spend(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(room) = self.keep.room.get() {
            *room.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        }
    }
}

impl Keep {
    /// The place; none if nothing is to be kept, or there is no place to keep it.
    pub(super) fn open(job: &MirrorJob, mirror: &dyn Mirror, address: &str) -> Option<Arc<Self>> {
        let (place, limit) = (job.dependencies.as_ref()?, job.limit?);
        let shared = Dependencies::at(place, "");
        let repository = &Sha256::of(address.as_bytes()).hex()[..32];
        let root = shared.directory(MIRRORS).join(mirror.name()).join(repository);
        let coming = shared.directory(MIRRORS).join(COMING);
        let notes = shared.directory(MIRRORS).join(NOTES).join(mirror.name()).join(repository);
        let made = fs::create_dir_all(&root).and_then(|()| fs::create_dir_all(&coming));
        if let Err(error) = made {
            println!("cannot keep anything in {}: {error}", root.display());
            return None;
        }
        let (time, room) = (job.time, OnceCell::new());
        let needs = Needs::noted_in(notes);
        Some(Arc::new(Self { root, coming, needs, shared, limit, time, room }))
    }

    /// The file, from its beginning, if it is kept and sound.
    pub(super) async fn find(&self, path: &RepositoryPath) -> Option<File> {
        let path = self.root.join(path.on_disk());
        spawn_blocking(move || sound(&path)).await.ok()?
    }

    /// [`Self::find`], which blocks.
    pub(super) fn look(&self, path: &RepositoryPath) -> Option<File> {
        sound(&self.root.join(path.on_disk()))
    }

    /// The checksum of a file that is kept.
    pub(super) async fn checksum(&self, of: &RepositoryPath) -> Option<String> {
        let path = self.root.join(of.on_disk());
        spawn_blocking(move || path.exists().then(|| checksum_beside(&path)).flatten())
            .await
            .ok()?
    }

    /// A place for a file of so many bytes; none if there is no room for it.
    pub(super) async fn expect(self: &Arc<Self>, bytes: u64) -> Option<Coming> {
        let claim = self.claim(bytes).await?;
        let made = NamedTempFile::new_in(&self.coming);
        let made = made.and_then(|file| Ok((file.reopen()?, file)));
        match made {
            Ok((to, file)) => {
                Some(Coming { claim, file, to: to.into(), written: 0, sum: Sha1::new() })
            }
            Err(error) => {
                println!("cannot keep a file: {error}");
                None
            }
        }
    }

    async fn claim(self: &Arc<Self>, bytes: u64) -> Option<Claim> {
        let mut left = self.room().await;
        *left = left.checked_sub(bytes).filter(|_| bytes <= LARGEST)?;
        Some(Claim { keep: Arc::clone(self), bytes })
    }

    /// What is left of the limit, once what was not used for long has gone for it.
    async fn room(&self) -> MutexGuard<'_, u64> {
        let look = || async {
            let (shared, limit) = (self.shared.clone(), self.limit);
            let since = in_use_since(self.time);
            let extent = spawn_blocking(move || shared.bound(limit, since)).await;
            let left = match extent.map_err(io::Error::from).flatten() {
                Ok(extent) => limit.saturating_sub(extent.left),
                Err(error) => {
                    println!("nothing is kept, as what is there cannot be looked at: {error}");
                    0
                }
            };
            Mutex::new(left)
        };
        self.room.get_or_init(look).await.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    /// Takes the next piece.
    pub(super) async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.written += piece.len() as u64;
        if self.written > self.claim.bytes {
            return Err(io::Error::other("it is longer than it was said to be"));
        }
        self.sum.update(piece);
        self.to.write_all(piece).await
    }

    /// The file, from its beginning, and whether it is kept, which it is if it has the checksum.
    pub(super) async fn finish(
        self,
        path: &RepositoryPath,
        checksum: Option<&str>,
    ) -> io::Result<(File, bool)> {
        let Self { claim, file, mut to, written, sum } = self;
        to.flush().await?;
        let content = file.reopen()?;
        let sum = hex(sum);
        if written != claim.bytes || checksum != Some(&*sum) {
            println!("{path} is not kept: the repository says another checksum of it, or none");
            return Ok((content, false));
        }
        let (path, coming) = (claim.keep.root.join(path.on_disk()), claim.keep.coming.clone());
        let kept = spawn_blocking(move || put(file, &sum, &path, &coming)).await;
        match kept.map_err(io::Error::from).flatten() {
            Ok(()) => claim.spend(),
            Err(error) => {
                println!("cannot keep a file: {error}");
                return Ok((content, false));
            }
        }
        Ok((content, true))
    }
}

/// Puts a whole file where it is found. One that is found has its checksum.
fn put(file: NamedTempFile, sum: &str, path: &Path, coming: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut checksum = NamedTempFile::new_in(coming)?;
    checksum.write_all(sum.as_bytes())?;
    checksum.persist(beside(path)).map_err(|error| error.error)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A kept file, if it is what it was.
fn sound(path: &Path) -> Option<File> {
    let mut file = File::open(path).ok()?;
    let expected = checksum_beside(path)?;
    let mut sum = Sha1::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => break,
            read => sum.update(&buffer[..read]),
        }
    }
    if hex(sum) != expected {
        println!("{} is not what it was, and goes", path.display());
        // It is fetched anew, and takes this one's place.
        let _ = fs::remove_file(path);
        return None;
    }
    Dependencies::mark(path);
    file.rewind().ok()?;
    Some(file)
}

fn checksum_beside(path: &Path) -> Option<String> {
    fs::read_to_string(beside(path)).ok()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(CHECKSUM);
    name.into()
}

fn hex(sum: Sha1) -> String {
    hex::encode(sum.finalize())
}
