//! Programs of this machine, found as a shell finds them.

use std::ffi::OsStr;
use std::path::PathBuf;

/// The program of that name in the first of the directories of `path` that has one.
pub(super) fn find_in(path: &OsStr, program: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
