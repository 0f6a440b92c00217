//! What a mirror is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use selvedge_buildpack::language::Language;

use super::super::order::language;

/// What is mirrored, and where it is kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct MirrorJob {
    /// Where the build asks.
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// The language whose repository it is.
    #[arg(long, value_parser = language)]
    pub(crate) language: Language,
    /// Where files are kept; without it, none are.
    #[arg(long, requires = "limit")]
    pub(crate) dependencies: Option<PathBuf>,
    /// How much the place may hold, in bytes; what was not used for longest goes.
    #[arg(long)]
    pub(crate) limit: Option<u64>,
    /// How long a build may take, in seconds: what was used in that time stays.
    #[arg(long, default_value_t = 0)]
    pub(crate) time: u64,
    /// A directory with certificates of authorities that are trusted besides the system's.
    #[arg(long)]
    pub(crate) authorities: Option<PathBuf>,
    /// The directory with credentials.
    #[arg(long)]
    pub(crate) credentials: Option<PathBuf>,
    /// The file that takes why it could not be done: the container's termination message.
    #[arg(long, default_value = "/dev/termination-log")]
    pub(crate) outcome: PathBuf,
}
