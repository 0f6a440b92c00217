//! What a build, and what fetches for it, begin with: source, tools and directories.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use selvedge_buildpack::recipe::{BuildFailure, Dependencies, Toolchain};
use selvedge_buildpack::source::Source;

use super::error::BuildJobError;
use super::order::BuildJob;
use super::transfer::Launcher;

/// The source, which is the one that was meant.
pub(super) fn source(launcher: &Launcher, job: &BuildJob) -> Result<Source, BuildJobError> {
    let source = Source::unpack(launcher.source()?, &job.work.join("source"))?;
    let (expected, actual) = (job.source, source.digest()?);
    if actual != expected {
        return Err(BuildJobError::SourceDigest { expected, actual });
    }
    Ok(source)
}

/// The dependencies that builds share, if there are any.
pub(super) fn dependencies(job: &BuildJob) -> Option<Dependencies> {
    let toolchain = job.toolchain.as_deref()?;
    job.dependencies.as_ref().map(|place| Dependencies::at(place, toolchain))
}

/// The image's tools. What an image says of a home is mostly that of another user.
pub(super) fn tools(
    job: &BuildJob,
    mut variables: Vec<(OsString, OsString)>,
) -> Result<Toolchain, BuildJobError> {
    let own = [("HOME", "home"), ("TMPDIR", "tmp")];
    for (variable, name) in own {
        if !variables.iter().any(|(name, _)| name == variable) {
            variables.push((variable.into(), directory(job.work.join(name))?.into()));
        }
    }
    let own = directory(job.work.join("tools"))?;
    let toolchain = job.language.toolchain(variables, &own);
    toolchain.map_err(|source| BuildJobError::File { path: own, source })
}

/// Why a recipe was not carried out at a place.
pub(super) fn failed(failure: BuildFailure<BuildJobError>, place: &Path) -> BuildJobError {
    match failure {
        BuildFailure::Place(source) => BuildJobError::File { path: place.to_owned(), source },
        BuildFailure::Workshop(error) => error,
        BuildFailure::Compile(errors) => BuildJobError::Compile(errors),
        BuildFailure::Refused(refusal) => BuildJobError::Refused(refusal),
    }
}

/// A directory, which is made.
pub(super) fn directory(path: PathBuf) -> Result<PathBuf, BuildJobError> {
    match fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(BuildJobError::File { path, source }),
    }
}
