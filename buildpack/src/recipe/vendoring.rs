//! How the dependencies of a chaincode come into its package, for builds without a network.

use std::path::PathBuf;

use super::command::BuildCommand;

/// What brings a chaincode's dependencies together.
#[derive(Clone, Debug)]
pub struct Vendoring {
    /// What a person would type for it.
    pub typed: String,
    /// What does it.
    pub command: BuildCommand,
    /// The directory in which they are then.
    pub from: PathBuf,
    /// The directory of the package that they belong to.
    pub to: &'static str,
}
