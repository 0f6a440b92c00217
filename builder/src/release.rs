//! `release OUT REL`: gives the peer the chaincode's `CouchDB` indexes, and where its server is if
//! it has one.
//!
//! A peer that finds `chaincode/server/connection.json` dials the chaincode and never calls `run`
//! (`core/container/externalbuilder/instance.go`). What else is in REL reaches the ledger under META-INF
//! (`core/container/externalbuilder/metadataprovider.go`), in place of what the package has
//! there. So what the peer would make indexes of goes to REL, and nothing else; what cannot be
//! an index fails no install, with Selvedge as without it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use selvedge_package::{CONNECTION_FILE, META_INF, MetaInfFile, Uselessness};
use walkdir::WalkDir;

use crate::{lines, output::Output, usage};

/// Where a peer looks for a server, in REL.
const SERVER: &str = "chaincode/server";

/// How many of the files that are left out have a line.
const TOLD: usize = 10;

/// Why something can not be released.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}", path = .path.display())]
pub struct ReleaseError {
    path: PathBuf,
    source: io::Error,
}

/// Releases both: exit code 0, or 1 with the reason as the last line.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let [out, release] = match usage::directories(arguments, "release OUT REL") {
        Ok(directories) => directories,
        Err(misuse) => return misuse,
    };
    let released = release_server(&out, &release).and_then(|()| release_indexes(&out, &release));
    match released {
        Ok(left_out) => {
            tell(&left_out);
            ExitCode::SUCCESS
        }
        Err(error) => {
            lines::write(&lines::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// A file of META-INF that is no index, and why: someone meant something by it.
struct LeftOut {
    path: String,
    reason: Uselessness,
}

/// Copies the indexes that the build left to where they are in META-INF.
fn release_indexes(out: &Path, release: &Path) -> Result<Vec<LeftOut>, ReleaseError> {
    fs::read_dir(out).map_err(failed(out))?;
    let root = Output::of_build(out.into()).meta_inf();
    let mut left_out = Vec::new();
    if !root.is_dir() {
        return Ok(left_out);
    }
    for entry in WalkDir::new(&root).sort_by_file_name() {
        let entry = entry.map_err(|error| failed(error.path().unwrap_or(&root))(error.into()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let below = entry.path().strip_prefix(&root).unwrap_or(entry.path());
        let path = format!("{META_INF}/{}", below.display());
        match MetaInfFile::read(&path, entry.path()).map_err(failed(entry.path()))? {
            MetaInfFile::Index { .. } => place(entry.path(), &release.join(below))?,
            MetaInfFile::Useless(reason) => left_out.push(LeftOut { path, reason }),
        }
    }
    Ok(left_out)
}

/// Copies what the build left of a server, as only its owner can read it.
fn release_server(out: &Path, release: &Path) -> Result<(), ReleaseError> {
    let server = Output::of_build(out.into()).server();
    if server.exists() {
        place(&server, &release.join(SERVER).join(CONNECTION_FILE))?;
    }
    Ok(())
}

fn place(file: &Path, destination: &Path) -> Result<(), ReleaseError> {
    let directory = destination.parent().unwrap_or(destination);
    fs::create_dir_all(directory).map_err(failed(directory))?;
    fs::copy(file, destination).map(drop).map_err(failed(destination))
}

fn tell(left_out: &[LeftOut]) {
    for LeftOut { path, reason } in left_out.iter().take(TOLD) {
        lines::write(&format!("{path} is left out: {reason}"));
    }
    if let Some(more) = left_out.len().checked_sub(TOLD).filter(|more| *more > 0) {
        lines::write(&format!("and {more} more files of {META_INF} are left out"));
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ReleaseError + use<> {
    let path = path.to_path_buf();
    |source| ReleaseError { path, source }
}
