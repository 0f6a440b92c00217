//! The data directory: images, and the files of running chaincode.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

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

impl DataDirectory {
    /// Opens the directory, and clears away what an earlier launcher's chaincode left in it.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let unusable = |source| DataError::Unusable { path: path.into(), source };
        make_private(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataError::Taken { path }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let data = Self { path, _lock: Arc::new(lock) };
        let passing = data.passing();
        match fs::remove_dir_all(&passing) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
            _ => make_private(&passing).map_err(unusable)?,
        }
        Ok(data)
    }

    /// Where the images are kept.
    pub(crate) fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    /// A fresh private directory, removed when it is dropped or, after a crash,
    /// by the next launcher.
    pub(crate) fn temporary(&self, purpose: &str) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(&format!("{purpose}-")).tempdir_in(self.passing())
    }

    fn passing(&self) -> PathBuf {
        self.path.join("tmp")
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_launcher_at_a_time_and_what_was_left_is_cleared() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let data = DataDirectory::open(&path).unwrap();
        let left = data.temporary("replica").unwrap().keep();
        assert!(matches!(DataDirectory::open(&path), Err(DataError::Taken { .. })));
        drop(data);
        DataDirectory::open(&path).unwrap();
        assert!(!left.exists());
    }
}
