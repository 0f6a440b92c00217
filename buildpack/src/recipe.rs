//! How a source becomes an image: planned by each language, carried out alike by whoever builds.

mod carry_out;
mod toolchain;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::image::{Form, Part};
use crate::language::Refusal;

pub use carry_out::{Answer, BuildFailure, Workshop, carry_out};
pub use toolchain::Toolchain;
pub(crate) use toolchain::is_writable;

/// The plan for one source. Its functions are pure but for [`Recipe::prepare`] and
/// [`Recipe::parts`].
pub trait Recipe: fmt::Debug + Send + Sync {
    /// What of it decides the outcome, besides the source, the toolchain and the image's base.
    fn inputs(&self) -> Vec<String>;

    /// What an image of it has over the base, and how it is started.
    fn form(&self) -> Form;

    /// Makes the place ready for the commands.
    fn prepare(&self, _place: &Workplace<'_>) -> io::Result<()> {
        Ok(())
    }

    /// The commands that build, one after the other.
    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand>;

    /// The command whose output tells more of why one of [`Recipe::commands`] failed, of which this
    /// is the output. It need not succeed.
    fn question(
        &self,
        output: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
    ) -> Option<BuildCommand>;

    /// What a failed command has to say to the person who installed the chaincode.
    fn errors(&self, failure: &Failure<'_>) -> Vec<String>;

    /// What the commands made: a part for each layer of the form.
    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal>;
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
