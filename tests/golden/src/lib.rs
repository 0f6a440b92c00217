//! Objects kept as files: `UPDATE_GOLDEN=1 cargo test -p CRATE golden` writes them anew.

use std::path::Path;

use serde::Serialize;

/// The object is, as YAML, what the file has. Its path is that in the crate, whose tests Cargo runs
/// in the crate's directory.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn golden(path: impl AsRef<Path>, object: &impl Serialize) {
    golden_text(path, &serde_saphyr::to_string(object).unwrap());
}

/// The text is what the file has.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn golden_text(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, kept, "{} differs", path.display());
}
