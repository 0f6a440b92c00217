//! What differs from pod to pod, with defaults: the command line, then the environment. Everything
//! else is in the operator's file (`configuration.rs`).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use selvedge_config::{NAMESPACE, is_namespace};

use crate::apart::{AuthorityPlace, Issue};
use crate::await_proxy::AwaitProxy;
use crate::build_job::{BuildJob, CopySelf, FetchJob, MirrorJob};
use crate::copy_builders::CopyBuilders;

/// Builds the chaincode that a Hyperledger Fabric peer installs, runs it, and
/// keeps it linked to the peer.
///
/// The peer's external builder (detect, build, release, run) reaches it over a
/// unix socket; put both on the same machine or in the same pod. One that is apart
/// from its peers is reached over TLS (`apart` in the operator's file).
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

    #[command(flatten)]
    pub(crate) authority: AuthorityPlace,

    /// Where compilers and package managers keep what they have fetched and compiled for the next build
    /// on this machine [default: `tools` in the data directory]. Several launchers may share one.
    #[arg(long, env = "SELVEDGE_TOOLS_DIR", value_name = "DIR")]
    pub(crate) tools_dir: Option<PathBuf>,

    /// The operator's file, which says how chaincode is built and run
    /// [default: /etc/selvedge/selvedge.yaml, if that exists].
    #[arg(long, env = "SELVEDGE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// What is logged: a level, or levels per part (tracing's filter syntax).
    #[arg(long, env = "SELVEDGE_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,

    #[command(flatten)]
    pub(crate) place: Place,
}

/// Which peer the launcher is for, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The peer's name, which overrides in the operator's file may name. In Kubernetes its name
    /// within its namespace, by which its chaincode is known across restarts [default: the name of
    /// the pod's Deployment, or the pod's own, which a StatefulSet keeps; elsewhere "peer"].
    #[arg(long, env = "SELVEDGE_PEER_NAME", value_name = "NAME")]
    pub(crate) peer_name: Option<String>,

    /// The launcher's own pod (downward API: metadata.name).
    #[arg(long, env = "SELVEDGE_POD_NAME", value_name = "NAME", help_heading = "Kubernetes")]
    pub(crate) pod_name: Option<String>,

    /// The namespace of the launcher's own pod (downward API: metadata.namespace).
    #[arg(
        long,
        env = "SELVEDGE_POD_NAMESPACE",
        value_name = "NAMESPACE",
        help_heading = "Kubernetes"
    )]
    pub(crate) pod_namespace: Option<String>,

    /// Where chaincode is built and runs, unless the operator's file says otherwise
    /// (`chaincode.namespace`) [default: the namespace of the launcher's own pod].
    #[arg(
        long,
        env = "SELVEDGE_CHAINCODE_NAMESPACE",
        value_name = "NAMESPACE",
        value_parser = namespace,
        help_heading = "Kubernetes"
    )]
    pub(crate) chaincode_namespace: Option<String>,
}

fn namespace(text: &str) -> Result<String, String> {
    if is_namespace(text) { Ok(text.to_owned()) } else { Err(format!("expected {NAMESPACE}")) }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Issue(Issue),
    /// Leaves the keeper in a chaincode's pod, and waits until that can reach its proxy.
    #[command(hide = true)]
    AwaitProxy(AwaitProxy),
    /// Builds a chaincode in the pod of a Job and hands the image to the launcher.
    #[command(hide = true)]
    BuildJob(BuildJob),
    /// Fetches what a chaincode depends on, ahead of its build and in the same pod.
    #[command(hide = true)]
    FetchJob(FetchJob),
    /// Brings a build the files of a repository, and keeps them for others, in the same pod.
    #[command(hide = true)]
    MirrorJob(MirrorJob),
    /// Copies the builders that lie beside this program into a directory.
    #[command(hide = true)]
    CopyBuilders(CopyBuilders),
    /// Copies this program to a file.
    #[command(hide = true)]
    CopySelf(CopySelf),
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
        let command = Settings::command(|name| name == "SELVEDGE_CONFIG");
        let heard: Vec<_> = command.get_arguments().filter_map(Arg::get_env).collect();
        assert!(!heard.contains(&"SELVEDGE_CONFIG".as_ref()));
        assert!(heard.contains(&"SELVEDGE_DATA_DIR".as_ref()));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for arguments in [
            ["--listen", "tcp:1.2.3.4:5"],
            ["--listen", "unix:launcher.sock"],
            ["--chaincode-namespace", "$(SELVEDGE_POD_NAMESPACE)-chaincode"],
        ] {
            let parsed = Settings::try_parse_from(["selvedge-launcher"].iter().chain(&arguments));
            assert!(parsed.is_err(), "{arguments:?}");
        }
    }
}
