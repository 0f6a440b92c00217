//! Fabric's own source: it is in Go's cache, since Fabric's programs are built from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use walkdir::WalkDir;

use crate::binaries::BuildError;
use crate::cache::io_error;
use crate::release::Release;

/// Fabric's module.
const MODULE: &str = "github.com/hyperledger/fabric";

/// The directory of the release's module, which nobody may write to.
pub fn directory(release: Release) -> Result<PathBuf, BuildError> {
    // Where it is not any more, since what was built of it is in a cache of its own, it is fetched.
    go(release, &["mod", "download", MODULE])?;
    let found = go(release, &["list", "-m", "-f", "{{.Dir}}", MODULE])?;
    Ok(found.trim().into())
}

/// What `go` says in the directory of the release.
fn go(release: Release, arguments: &[&str]) -> Result<String, BuildError> {
    let dir = release.module_dir();
    let output = Command::new("go").args(arguments).current_dir(&dir).output();
    let output = output.map_err(BuildError::NoGo)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let (command, stderr) = (format!("go {}", arguments.join(" ")), output.stderr);
    Err(BuildError::Go { command, dir, stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

/// Copies files and directories of the source, below the new directory `to`, where they can be
/// changed.
pub fn copy(source: &Path, parts: &[&str], to: &Path) -> Result<(), BuildError> {
    for part in parts {
        for entry in WalkDir::new(source.join(part)) {
            let entry = entry.map_err(|error| io_error("read", source, error.into()))?;
            let target = to.join(entry.path().strip_prefix(source).unwrap_or(entry.path()));
            let failed = |error| io_error("copy", entry.path(), error);
            if entry.file_type().is_dir() {
                fs::create_dir_all(&target).map_err(failed)?;
            } else {
                fs::create_dir_all(target.parent().unwrap_or(to)).map_err(failed)?;
                // Not its mode: in Go's cache nothing may be written, nor executed.
                let content = fs::read(entry.path()).map_err(failed)?;
                fs::write(&target, content).map_err(failed)?;
            }
        }
    }
    Ok(())
}
