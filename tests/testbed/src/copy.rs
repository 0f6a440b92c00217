//! Copies of sources, which may be changed.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use crate::cache::{CacheError, io_error};

/// Copies a file, or a directory with all that is in it; what is above it is made.
///
/// Not with its mode: in Go's cache nothing may be written, nor executed.
///
/// # Errors
///
/// When something cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<(), CacheError> {
    for entry in WalkDir::new(from) {
        let entry = entry.map_err(|error| io_error("read", from, error.into()))?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        // A file by itself has nothing below it.
        let target = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        let failed = |error| io_error("copy", entry.path(), error);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).map_err(failed)?;
        } else {
            fs::create_dir_all(target.parent().unwrap_or(to)).map_err(failed)?;
            fs::write(&target, fs::read(entry.path()).map_err(failed)?).map_err(failed)?;
        }
    }
    Ok(())
}
