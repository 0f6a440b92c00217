//! The data directory: images, and the files of running chaincode.

use std::fs::{self, File, FileType, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tracing::warn;

use crate::removal;

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("cannot use the data directory {path}; choose another with --data-dir")]
    Unusable { path: PathBuf, source: io::Error },
    #[error(
        "the data directory {path} is in use by another launcher; choose another with --data-dir"
    )]
    Taken { path: PathBuf },
}

/// A directory that one launcher has for itself.
#[derive(Clone, Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// Held as long as the launcher lives; the system lets go of it when the launcher dies.
    _lock: Arc<File>,
}

/// A fresh private directory. It goes when it is dropped, whatever somebody did in it.
#[derive(Debug)]
pub(crate) struct TemporaryDirectory(PathBuf);

impl DataDirectory {
    /// Opens the directory, and clears away what an earlier launcher's chaincode left in it.
    /// What cannot be removed stays, and is told: it is in nobody's way.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let unusable = |source| DataError::Unusable { path: path.into(), source };
        make_private(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let Some(lock) = lock_in(&path).map_err(unusable)? else {
            return Err(DataError::Taken { path });
        };
        let data = Self { path, _lock: Arc::new(lock) };
        let passing = data.passing();
        own_directory(&passing).map_err(unusable)?;
        if let Err(error) = removal::clear(&passing) {
            warn!(path = %passing.display(), %error, "cannot remove all that chaincode left");
        }
        Ok(data)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the images are kept.
    pub(crate) fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    /// Where the images are kept that are served to the nodes.
    pub(crate) fn registry(&self) -> PathBuf {
        self.path.join("registry")
    }

    /// Where languages' tools keep what they keep for other builds, unless that is elsewhere.
    pub(crate) fn tools(&self) -> PathBuf {
        self.path.join("tools")
    }

    /// Where runs of chaincode leave what those that follow them go on with.
    pub(crate) fn estate(&self) -> Result<PathBuf, DataError> {
        let path = self.path.join("runs");
        match own_directory(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(DataError::Unusable { path, source }),
        }
    }

    /// A fresh private directory, removed when it is dropped or, after a crash,
    /// by the next launcher.
    pub(crate) fn temporary(&self, purpose: &str) -> io::Result<TemporaryDirectory> {
        let prefix = format!("{purpose}-");
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(self.passing())?;
        Ok(TemporaryDirectory(TempDir::keep(directory)))
    }

    fn passing(&self) -> PathBuf {
        self.path.join("tmp")
    }
}

impl TemporaryDirectory {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if let Err(error) = removal::remove(&self.0) {
            warn!(path = %self.0.display(), %error, "cannot remove a temporary directory");
        }
    }
}

/// Makes a directory of the launcher's own, whatever somebody has left in its place.
pub(crate) fn own_directory(path: &Path) -> io::Result<()> {
    remove_unless(path, FileType::is_dir)?;
    make_private(path)
}

/// Makes the directory where there is none, and sees to it that its owner can use it.
fn make_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    // Chaincode, which has the same owner, may have changed it.
    if mode & 0o700 == 0o700 { Ok(()) } else { set_mode(path, mode | 0o700) }
}

/// Has a directory for oneself as long as what is returned lives; none if somebody else has it.
pub(crate) fn lock_in(directory: &Path) -> io::Result<Option<File>> {
    let path = directory.join("lock");
    remove_unless(&path, FileType::is_file)?;
    if path.exists() {
        set_mode(&path, 0o600)?;
    }
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes what is there if it is of another kind than the launcher made it.
fn remove_unless(path: &Path, is_sound: impl Fn(&FileType) -> bool) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if !is_sound(&metadata.file_type()) => removal::remove(path),
        _ => Ok(()),
    }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::removal::tests::unprivileged;

    /// What a launcher that is killed leaves of a replica.
    fn left(data: &DataDirectory) -> PathBuf {
        let replica = data.temporary("replica").unwrap();
        let path = replica.path().to_owned();
        std::mem::forget(replica);
        path
    }

    #[test]
    fn one_launcher_at_a_time_and_what_was_left_is_cleared() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let data = DataDirectory::open(&path).unwrap();
        let left = left(&data);
        assert!(matches!(DataDirectory::open(&path), Err(DataError::Taken { .. })));
        drop(data);
        DataDirectory::open(&path).unwrap();
        assert!(!left.exists());
    }
    #[test]
    fn no_mode_and_no_kind_of_file_keeps_a_launcher_from_starting() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let data = DataDirectory::open(&path).unwrap();
        let left = left(&data);
        drop(data);
        fs::create_dir(left.join("closed")).unwrap();
        fs::write(left.join("closed/file"), "left").unwrap();
        let lock = path.join("lock");
        for closed in [&left.join("closed"), &left, &path.join("tmp"), &lock, &path] {
            set_mode(closed, 0o555).unwrap();
        }
        unprivileged(|| DataDirectory::open(&path)).unwrap();
        assert!(!left.exists());

        fs::remove_dir(path.join("tmp")).unwrap();
        std::os::unix::fs::symlink("/", path.join("tmp")).unwrap();
        fs::remove_file(path.join("lock")).unwrap();
        fs::create_dir(path.join("lock")).unwrap();
        let data = unprivileged(|| DataDirectory::open(&path)).unwrap();
        let temporary = unprivileged(|| data.temporary("replica")).unwrap();
        assert!(temporary.path().starts_with(path.canonicalize().unwrap()));
    }

    #[test]
    fn a_temporary_directory_goes_whatever_was_done_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&parent.path().join("data")).unwrap();
        let temporary = data.temporary("replica").unwrap();
        let path = temporary.path().to_owned();
        fs::create_dir(path.join("closed")).unwrap();
        fs::write(path.join("closed/file"), "left").unwrap();
        set_mode(&path.join("closed"), 0o555).unwrap();
        unprivileged(|| drop(temporary));
        assert!(!path.exists());
    }
}
