//! The cache of built programs: every entry is whole or absent.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, io};

use thiserror::Error;

/// Why the cache could not be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("neither XDG_CACHE_HOME nor HOME is set: no place for the cache")]
    NoHome,
    /// The file system refused.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// `$XDG_CACHE_HOME/selvedge`, or `~/.cache/selvedge`.
pub fn root() -> Result<PathBuf, CacheError> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
        .map(|cache| cache.join("selvedge"))
        .ok_or(CacheError::NoHome)
}

/// The directory `entry`, filled by `build` if it is not there yet.
///
/// `build` fills a directory beside it, which is renamed when complete; a lock held meanwhile
/// lets a second process wait for the first one's result.
pub fn obtain<E: From<CacheError>>(
    entry: &Path,
    build: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    if entry.is_dir() {
        return Ok(entry.to_owned());
    }
    let _lock = lock(&beside(entry, ".lock"))?;
    if entry.is_dir() {
        return Ok(entry.to_owned());
    }
    // We hold the lock: what is left here is of a process that was ended half way.
    let partial = beside(entry, ".partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|e| io_error("remove", &partial, e))?;
    }
    fs::create_dir_all(&partial).map_err(|e| io_error("create", &partial, e))?;
    build(&partial)?;
    fs::rename(&partial, entry).map_err(|e| io_error("create", entry, e))?;
    Ok(entry.to_owned())
}

/// Opens `path`, created with its directory if needed, and waits for an exclusive lock on it.
fn lock(path: &Path) -> Result<File, CacheError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| io_error("create", parent, e))?;
    }
    let file = File::create(path).map_err(|e| io_error("create", path, e))?;
    file.lock().map_err(|e| io_error("lock", path, e))?;
    Ok(file)
}

fn beside(entry: &Path, suffix: &str) -> PathBuf {
    let mut name = entry.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    entry.with_file_name(name)
}

/// The error of `action` on `path`.
pub fn io_error(action: &'static str, path: &Path, source: io::Error) -> CacheError {
    CacheError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn two_at_once_build_once() {
        let dir = tempfile::tempdir().unwrap();
        let entry = dir.path().join("entry");
        let builds = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    obtain::<CacheError>(&entry, |partial| {
                        builds.fetch_add(1, Ordering::SeqCst);
                        fs::write(partial.join("tool"), "whole").unwrap();
                        Ok(())
                    })
                    .unwrap()
                });
            }
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
        assert_eq!(fs::read_to_string(entry.join("tool")).unwrap(), "whole");
    }

    #[test]
    fn a_build_that_failed_leaves_no_entry_and_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let entry = dir.path().join("entry");
        let failed = obtain::<CacheError>(&entry, |partial| {
            fs::write(partial.join("half"), "").unwrap();
            Err(CacheError::NoHome)
        });
        assert!(failed.is_err());
        assert!(!entry.exists());

        obtain::<CacheError>(&entry, |_| Ok(())).unwrap();
        assert!(entry.is_dir());
        assert!(!entry.join("half").exists());
    }
}
