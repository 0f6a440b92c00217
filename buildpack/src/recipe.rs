//! How a source becomes a program: planned by each language, carried out alike by whoever builds.

mod carry_out;
mod toolchain;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::language::Refusal;

pub use carry_out::{Answer, BuildFailure, Workshop, carry_out};
pub use toolchain::Toolchain;

/// The plan for one source. Its functions are pure but for [`Recipe::program`].
pub trait Recipe: fmt::Debug + Send + Sync {
    /// What of it decides the outcome, besides the source, the toolchain and the image's base.
    fn inputs(&self) -> Vec<String>;

    /// The commands that make the program, one after the other.
    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand>;

    /// The command whose output tells more of why one of [`Recipe::commands`] failed, of which this
    /// is the output. It need not succeed.
    fn question(
        &self,
        output: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
    ) -> Option<BuildCommand>;

    /// Another plan for the same source, which is carried out in place of this one, of which a
    /// command failed; none if there is nothing else to try. It belongs to [`Recipe::inputs`].
    fn instead(&self, failure: &Failure<'_>) -> Option<Box<dyn Recipe>> {
        let _ = failure;
        None
    }

    /// What a failed command has to say to the person who installed the chaincode.
    fn errors(&self, failure: &Failure<'_>) -> Vec<String>;

    /// The program that the commands made.
    fn program(&self, place: &Workplace<'_>) -> Result<PathBuf, Refusal>;
}

/// Where a recipe is carried out. Both are absolute paths.
#[derive(Clone, Copy, Debug)]
pub struct Workplace<'a> {
    /// The directory that holds `src`.
    pub source: &'a Path,
    /// A directory for what is made; empty at the beginning.
    pub output: &'a Path,
}

/// A command that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The command.
    pub command: &'a BuildCommand,
    /// What it wrote, on both streams.
    pub output: &'a str,
    /// What was answered to [`Recipe::question`].
    pub answer: Option<&'a str>,
}

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
