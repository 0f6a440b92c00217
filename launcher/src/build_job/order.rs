//! What the launcher writes into a Job: the order of a build.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::ChaincodeType;
use selvedge_buildpack::platform::Platform;

/// What is to be built.
#[derive(Clone, Debug, Args)]
pub(crate) struct BuildJob {
    /// Where the launcher has the source and takes the image: an address for this build alone.
    #[arg(long, env = "SELVEDGE_BUILD_URL", hide_env_values = true)]
    pub(crate) url: String,
    /// What the source's digest must be.
    #[arg(long)]
    pub(crate) source: Sha256,
    /// What the digest of the base's certificates must be.
    #[arg(long)]
    pub(crate) certificates: Sha256,
    /// The language, as in the package's metadata.
    #[arg(long, value_parser = language)]
    pub(crate) language: Language,
    /// The path of the code within the source, as in the package's metadata.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) path: String,
    /// What to compile for.
    #[arg(long)]
    pub(crate) platform: Platform,
    /// An empty directory to work in.
    #[arg(long)]
    pub(crate) work: PathBuf,
    /// Where the dependencies are that were fetched ahead.
    #[arg(long, requires = "toolchain")]
    pub(crate) dependencies: Option<PathBuf>,
    /// The image that this runs in, whose products are kept apart from those of others.
    #[arg(long)]
    pub(crate) toolchain: Option<String>,
    /// The file by which the container that fetches says that it has.
    #[arg(long)]
    pub(crate) fetched: Option<PathBuf>,
    /// Where the pod has a mirror of what the tools fetch.
    #[arg(long)]
    pub(crate) mirror: Option<SocketAddr>,
    /// The file that takes the outcome: the container's termination message.
    #[arg(long, default_value = "/dev/termination-log")]
    pub(crate) outcome: PathBuf,
}

pub(super) fn language(named: &str) -> Result<Language, String> {
    Language::of(&ChaincodeType::named(named)).ok_or_else(|| "no language that is built".to_owned())
}
