//! What can be set, with defaults: the command line, then the environment.

mod builds;
mod kubernetes;
mod quantity;
mod registry;
mod seconds;

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::await_proxy::AwaitProxy;
use crate::build_job::{BuildJob, CopySelf};

pub(crate) use builds::BuildSettings;
pub(crate) use kubernetes::{Affinity, KubernetesSettings};
pub(crate) use quantity::Resources;
use seconds::Seconds;

/// Builds the chaincode that a Hyperledger Fabric peer installs, runs it, and
/// keeps it linked to the peer.
///
/// The peer's external builder (detect, build, release, run) reaches it over a
/// unix socket; put both on the same machine or in the same pod.
#[derive(Debug, Parser)]
#[command(name = "selvedge-launcher", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Settings {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Where the builders reach the launcher: unix:PATH.
    #[arg(
        long,
        env = "SELVEDGE_LAUNCHER",
        default_value = "unix:/run/selvedge/launcher.sock",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: ListenAddress,

    /// Where images are kept and chaincode processes have their files; made when missing.
    #[arg(
        long,
        env = "SELVEDGE_DATA_DIR",
        default_value = "/var/lib/selvedge",
        value_name = "DIR"
    )]
    pub(crate) data_dir: PathBuf,

    /// How much the local backend's images may take together, such as 500MiB or 10GiB: beyond it
    /// those that were not used for longest go. What runs and what was built last stay, even
    /// with 0. One that is gone is built again when it is called for.
    #[arg(long, env = "SELVEDGE_IMAGES_LIMIT", default_value = "10GiB", value_name = "SIZE")]
    pub(crate) images_limit: ByteSize,

    /// What runs the chaincode.
    #[arg(long, env = "SELVEDGE_BACKEND", default_value = "local", value_enum)]
    pub(crate) backend: BackendKind,

    /// How long a launch may take from the peer's call to the chaincode's registration,
    /// in seconds; an image that is gone is built again in that time, too. Keep it
    /// 10 s below the peer's chaincode.startuptimeout (300 s), which has to be told
    /// why a launch failed before it gives it up.
    #[arg(long, env = "SELVEDGE_START_TIMEOUT", default_value = "240", value_name = "SECONDS")]
    start_timeout: Seconds,

    /// How long a build may take, in seconds.
    #[arg(long, env = "SELVEDGE_BUILD_TIMEOUT", default_value = "600", value_name = "SECONDS")]
    build_timeout: Seconds,

    /// How many builds may go on at once; others wait for them. Each may fill 2 GiB of the
    /// data directory: of a volume that is too full, Kubernetes ends the pod.
    #[arg(long, env = "SELVEDGE_PARALLEL_BUILDS", default_value = "2", value_name = "NUMBER")]
    pub(crate) parallel_builds: NonZeroU16,

    /// What is logged: a level, or levels per part (tracing's filter syntax).
    #[arg(long, env = "SELVEDGE_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,

    #[command(flatten)]
    pub(crate) kubernetes: KubernetesSettings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Waits until a chaincode's pod can reach its proxy.
    #[command(hide = true)]
    AwaitProxy(AwaitProxy),
    /// Builds a chaincode in the pod of a Job and hands the image to the launcher.
    #[command(hide = true)]
    BuildJob(BuildJob),
    /// Copies this program to a file.
    #[command(hide = true)]
    CopySelf(CopySelf),
}

/// What runs the chaincode.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BackendKind {
    /// Processes of this machine.
    Local,
    /// Deployments of the Kubernetes cluster that the launcher's pod is in.
    Kubernetes,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// From the peer's call for a chaincode to its registration.
    pub(crate) start: Duration,
    /// One build.
    pub(crate) build: Duration,
}

impl Settings {
    /// What the process was given. Ends it with a word about what makes no sense, or with the help.
    pub(crate) fn read() -> Self {
        let is_empty = |name: &_| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let matches = Self::command(is_empty).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The command line, for which an empty environment variable is as good as none: that is how
    /// manifests leave a setting out.
    fn command(is_empty: impl Fn(&std::ffi::OsStr) -> bool) -> clap::Command {
        <Self as CommandFactory>::command().mut_args(|arg: Arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(None::<&'static str>),
            _ => arg,
        })
    }

    pub(crate) fn limits(&self) -> TimeLimits {
        TimeLimits { start: self.start_timeout.0, build: self.build_timeout.0 }
    }
}

/// Where the launcher listens.
#[derive(Clone, Debug)]
pub(crate) struct ListenAddress(pub(crate) PathBuf);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self(path.into())),
            _ => Err("expected unix: and an absolute path".to_owned()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unix:{}", self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Settings::command(|_| false).debug_assert();
    }

    #[test]
    fn an_empty_variable_is_none() {
        let command = Settings::command(|name| name == "SELVEDGE_BUILD_ENV");
        let heard: Vec<_> = command.get_arguments().filter_map(Arg::get_env).collect();
        assert!(!heard.contains(&"SELVEDGE_BUILD_ENV".as_ref()));
        assert!(heard.contains(&"SELVEDGE_REGISTRY_SECRET".as_ref()));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for arguments in [
            ["--listen", "tcp:1.2.3.4:5"],
            ["--listen", "unix:launcher.sock"],
            ["--start-timeout", "0"],
            ["--start-timeout", "soon"],
            ["--start-timeout", "-1"],
            ["--images-limit", "-1"],
            ["--images-limit", "much"],
        ] {
            let parsed = Settings::try_parse_from(["selvedge-launcher"].iter().chain(&arguments));
            assert!(parsed.is_err(), "{arguments:?}");
        }
    }
}
