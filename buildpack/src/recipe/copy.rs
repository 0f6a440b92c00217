//! A source copied to where commands may write.

use std::fs;
use std::io;
use std::path::Path;

use walkdir::WalkDir;

/// Copies a tree of files.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in WalkDir::new(from).min_depth(1) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            fs::create_dir(target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
