//! How the dependencies of a chaincode come into its package, for builds without a network.

use std::io;
use std::path::{Path, PathBuf};

use super::command::BuildCommand;

/// What brings a chaincode's dependencies together.
#[derive(Clone, Debug)]
pub struct Vendoring {
    /// What a person would type for it.
    pub typed: String,
    /// What does it, one after the other.
    pub commands: Vec<BuildCommand>,
    /// The directory in which they are then.
    pub from: PathBuf,
    /// The directory of the package that they belong to.
    pub to: &'static str,
    /// What is done to that directory before it goes in.
    pub tidy: fn(&Path) -> io::Result<()>,
}
