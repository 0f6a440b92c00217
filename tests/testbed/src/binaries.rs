//! Fabric's programs, built once from their Go module and kept in the user's cache.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::cache::{self, CacheError};
use crate::release::Release;

/// Told what is going on, a line at a time, while something takes long.
pub type Progress<'a> = dyn FnMut(&str) + 'a;

const PROGRAMS: [&str; 5] = ["configtxgen", "cryptogen", "orderer", "osnadmin", "peer"];

/// Fabric's programs of one release.
#[derive(Clone, Debug)]
pub struct Binaries {
    release: Release,
    dir: PathBuf,
}

/// Why programs could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no Go on this machine.
    #[error("`go` is not on the PATH; the testbed builds programs from Go modules, install Go")]
    NoGo(#[source] io::Error),
    /// `go` ended with an error.
    #[error("`{command}` failed in {dir}:\n{stderr}", dir = dir.display())]
    Go {
        /// The command line.
        command: String,
        /// Where it ran.
        dir: PathBuf,
        /// What it said.
        stderr: String,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl Binaries {
    /// The release's programs: from the cache, or built into it (about two minutes, once).
    ///
    /// The cache key covers everything that decides what is built: the module's pinned sums and
    /// the Go version.
    pub fn obtain(release: Release, progress: &mut Progress<'_>) -> Result<Self, BuildError> {
        let module = release.module_dir();
        let key = cache_key(&module)?;
        let entry = cache::root()?.join(format!("fabric/{release}-{key}"));
        let entry = cache::obtain(&entry, |partial| {
            progress(&format!("building Fabric {release} (once; then cached)"));
            let bin = partial.join("bin");
            for program in PROGRAMS {
                let started = Instant::now();
                progress(&format!("building {program}"));
                let package = format!("github.com/hyperledger/fabric/cmd/{program}");
                let version = format!(
                    "-s -w -X github.com/hyperledger/fabric/common/metadata.Version={release}"
                );
                let output = bin.join(program);
                let arguments = ["-ldflags", &version, &package];
                go_build(&module, &output, &arguments, progress)?;
                let seconds = started.elapsed().as_secs_f32();
                progress(&format!("built {program} in {seconds:.1} s"));
            }
            Ok::<(), BuildError>(())
        })?;
        Ok(Self { release, dir: entry.join("bin") })
    }

    /// The release that these are of.
    pub fn release(&self) -> Release {
        self.release
    }

    /// The directory with `peer`, `orderer`, `configtxgen`, `cryptogen` and `osnadmin`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Names what a Go module builds: its pinned sums and the Go version decide it.
pub fn cache_key(module: &Path) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    for name in ["go.mod", "go.sum"] {
        let path = module.join(name);
        let content = fs::read(&path).map_err(|e| cache::io_error("read", &path, e))?;
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    hash.update(go_version(module)?);
    Ok(hex::encode(&hash.finalize()[..8]))
}

/// The toolchain and platform that a build in `dir` would use.
pub(crate) fn go_version(dir: &Path) -> Result<String, BuildError> {
    let output = Command::new("go")
        .args(["env", "GOVERSION", "GOOS", "GOARCH"])
        .current_dir(dir)
        .output()
        .map_err(BuildError::NoGo)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(BuildError::Go {
        command: "go env".to_owned(),
        dir: dir.to_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `go build -o output arguments…` in `dir`: static, reproducible, nothing but what go.sum
/// pins. Downloads are reported as they happen.
pub fn go_build(
    dir: &Path,
    output: &Path,
    arguments: &[&str],
    progress: &mut Progress<'_>,
) -> Result<(), BuildError> {
    let mut command = Command::new("go");
    command
        .args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly"])
        .arg("-o")
        .arg(output)
        .args(arguments)
        .current_dir(dir)
        // Static: the same file runs here and in an empty image.
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(BuildError::NoGo)?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.starts_with("go: downloading") {
                progress(&line);
            } else {
                said.push(line);
            }
        }
    }
    let status = child.wait().map_err(BuildError::NoGo)?;
    if status.success() {
        return Ok(());
    }
    Err(BuildError::Go {
        command: format!("go build {}", arguments.join(" ")),
        dir: dir.to_owned(),
        stderr: said.join("\n"),
    })
}
