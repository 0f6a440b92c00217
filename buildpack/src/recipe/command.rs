//! A command of a recipe.

use std::ffi::OsString;
use std::path::PathBuf;

/// A command for the caller to run, with a cleared environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildCommand {
    /// The program: a path, or a name to be found in `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
}
