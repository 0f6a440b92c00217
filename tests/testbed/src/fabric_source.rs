//! Fabric's own source: it is in Go's cache, since Fabric's programs are built from it.

use std::path::PathBuf;
use std::process::Command;

use crate::binaries::BuildError;
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
