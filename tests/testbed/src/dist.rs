//! Where Selvedge's own release binaries are.

use std::env;
use std::path::{Path, PathBuf};

/// The directory whose `bin/` holds `detect`, `build`, `release`, `run`, `selvedge-launcher` and
/// `selvedge`: what a peer's core.yaml names as external builder.
///
/// `SELVEDGE_DIST`, or `dist` in the workspace.
///
/// # Panics
///
/// When a binary is missing: nothing end to end can be tried then.
pub fn dist_dir() -> PathBuf {
    let dir =
        env::var_os("SELVEDGE_DIST").map_or_else(|| workspace_dir().join("dist"), PathBuf::from);
    let programs = ["detect", "build", "release", "run", "selvedge-launcher", "selvedge"];
    for program in programs {
        let path = dir.join("bin").join(program);
        assert!(
            path.is_file(),
            "{} is missing: run `cargo xtask dist` first (or set SELVEDGE_DIST)",
            path.display()
        );
    }
    dir
}

/// The workspace's root, as it was when this was compiled.
pub fn workspace_dir() -> &'static Path {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).unwrap_or(crate_dir)
}
