//! Directories that appear whole or not at all.

use std::fs;
use std::path::Path;

use super::ArchiveError;

/// Fills a new directory beside `target` and renames it to `target` when `fill` has succeeded.
///
/// `failed` wraps an error of this function's own. `target` must not exist, or be an empty directory. On an error nothing is left. The directory
/// is private to its owner (mode 0700).
pub fn stage<T, E>(
    target: &Path,
    failed: impl Fn(ArchiveError) -> E,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let staging = tempfile::Builder::new()
        .prefix(".selvedge-")
        .tempdir_in(parent)
        .map_err(|error| failed(ArchiveError::writing(parent)(error)))?;
    let filled = fill(staging.path())?;
    fs::rename(staging.path(), target)
        .map_err(|error| failed(ArchiveError::writing(target)(error)))?;
    // Renamed: there is nothing left to remove.
    let _ = staging.keep();
    Ok(filled)
}
