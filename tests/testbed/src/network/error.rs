//! Why a network did not come up.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::cli::CliError;
use crate::log::LineMissing;
use crate::orderer::OrdererError;
use crate::ports::PortError;
use crate::process::ServerError;
use crate::scratch::ScratchError;

/// Why a network did not come up.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// No scratch directory.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// No free ports.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A configuration file could not be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A command-line program failed.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// A server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The orderer did not take up the channel.
    #[error(transparent)]
    Orderer(#[from] OrdererError),
    /// The organisations' peers did not find each other.
    #[error("{msp_id}'s peer did not find the other organisations' peers")]
    Gossip {
        /// Whose peer.
        msp_id: String,
        /// What it should have logged.
        source: LineMissing,
    },
}
