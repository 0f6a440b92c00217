//! Manifests kept as files: `UPDATE_GOLDEN=1 cargo test -p selvedge-launcher golden` writes them
//! anew.

use std::path::Path;

use serde::Serialize;

/// The object is, as YAML, what `tests/golden/kubernetes/NAME` has.
#[track_caller]
pub(super) fn golden(name: &str, object: &impl Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kubernetes").join(name);
    let text = serde_saphyr::to_string(object).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{} differs", path.display());
}
