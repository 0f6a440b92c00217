//! Directories that appear whole or not at all.

use std::fs;
use std::path::Path;

use super::ArchiveError;

/// Fills a new directory beside `target` and renames it to `target` when `fill` has succeeded.
///
/// `target` must not exist, or be an empty directory. On an error nothing is left. The directory
/// is private to its owner (mode 0700).
pub fn stage<T, E: From<ArchiveError>>(
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let staging = tempfile::Builder::new()
        .prefix(".selvedge-")
        .tempdir_in(parent)
        .map_err(ArchiveError::writing(parent))?;
    let filled = fill(staging.path())?;
    fs::rename(staging.path(), target).map_err(ArchiveError::writing(target))?;
    // Renamed: there is nothing left to remove.
    let _ = staging.keep();
    Ok(filled)
}
