//! What was typed of `selvedge config`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use selvedge_buildpack::package::Label;

/// Check and explain the operator's file, which says how chaincode is built and run.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Check(Check),
    Show(Show),
    /// Print the JSON Schema of the file, by which editors complete and check it.
    #[command(after_help = "Examples:\n  \
        selvedge config schema > selvedge.schema.json\n\n\
        An editor with the YAML language server takes it by the file's first line:\n  \
        # yaml-language-server: $schema=selvedge.schema.json")]
    Schema,
    Default(ConfigDefault),
    /// Print the page of the documentation that tells of every key.
    #[command(after_help = "Examples:\n  selvedge config reference | less")]
    Reference,
}

/// Tell everything that is wrong with a file.
///
/// It is read as the launcher reads it, and its overlays are held against the security of pods: for
/// the defaults, and for these with each override. Exit code 1 means that a launcher would refuse it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge config check selvedge.yaml\n  \
    selvedge config check selvedge.yaml --label basic_1.0 --label audit_2\n  \
    kubectl get configmap selvedge -o jsonpath='{.data.selvedge\\.yaml}' | selvedge config check -\n  \
    selvedge config check selvedge.yaml --json | jq '.faults[].message'")]
pub(crate) struct Check {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Labels of the chaincode that there is: overrides that are for none of it are warned of
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    pub(crate) label: Vec<Label>,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Tell what applies to a chaincode, and where each value comes from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge config show --label basic_1.0 --msp Org1MSP --peer peer0-0\n  \
    selvedge config show --label basic_1.0 --msp Org1MSP --peer peer0-0 selvedge.yaml\n  \
    selvedge config show -l basic_1.0 -m Org1MSP -p peer0-0 --json | jq '.keys[] | select(.line)'")]
pub(crate) struct Show {
    /// Label of the chaincode's package
    #[arg(short, long)]
    pub(crate) label: Label,

    /// MSP ID of the peer's organisation
    #[arg(short, long)]
    pub(crate) msp: String,

    /// Name of the peer, as the launcher knows it
    #[arg(short, long, value_name = "NAME")]
    pub(crate) peer: String,

    /// The same as --config
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// The file, as the launcher takes it.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The operator's file; `-` is standard input [default: the one that `SELVEDGE_CONFIG` names, or
    /// /etc/selvedge/selvedge.yaml if that exists]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

/// Print the whole file: every key with its default and what it means.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge config default --backend kubernetes > selvedge.yaml")]
pub(crate) struct ConfigDefault {
    /// The backend whose keys are meant
    #[arg(short, long, default_value = "local")]
    pub(crate) backend: Backend,
}

/// What runs the chaincode.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Backend {
    /// Processes of the launcher's machine
    Local,
    /// Deployments of the launcher's cluster
    Kubernetes,
}
