//! What sources depend on, fetched ahead of their builds into a place that many builds share.
//!
//! Who fetches may write there, and so must run nothing that a package, or a dependency of one, brings
//! along: no script, no plugin, no C compiler. Who builds reads there, and checks what it reads
//! against what the source says of it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::command::BuildCommand;
use super::dependencies::Dependencies;
use super::toolchain::Toolchain;
use super::workplace::Workplace;

/// How a recipe's dependencies are fetched ahead, and how its build finds them.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// The tools as those have them who fetch: they write to `shared`.
    fn filling(&self, toolchain: &Toolchain, shared: &Dependencies) -> io::Result<Toolchain>;

    /// The command that tells what is needed, and fetches what it has to look into; none if the
    /// source itself tells it.
    fn question(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Option<BuildCommand>;

    /// What is needed, by the answer to [`Fetch::question`].
    fn need(
        &self,
        answer: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        shared: &Dependencies,
    ) -> io::Result<Need>;

    /// The tools as those have them who build: they take from `shared`, where they cannot write, and
    /// keep what they make below `own`.
    fn drawing(
        &self,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        shared: &Dependencies,
        own: &Path,
    ) -> io::Result<Toolchain>;
}

/// What a source needs of what builds share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// What brings in what a build may find nowhere else.
    pub required: Vec<BuildCommand>,
    /// What brings in the rest. A build goes on without what fails here.
    pub helpful: Vec<BuildCommand>,
    /// Where it is then.
    pub places: Vec<PathBuf>,
}
