//! What was typed.

mod at_launcher;
mod builds;
mod config;
mod doctor;
mod logs;
mod render;
mod status;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use selvedge_buildpack::package::Label;

pub(crate) use self::builds::Builds;
pub(crate) use self::config::{Backend, Check, Config, ConfigCommand, Show};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::logs::Logs;
pub(crate) use self::render::Render;
pub(crate) use self::status::Status;

/// Packages Hyperledger Fabric chaincode, and tells what is in a package, what an operator's file
/// says, what both come to in a cluster, what a launcher has built and runs, and what is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "selvedge",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 130 ended by Ctrl-C.\n\
                  Colours appear on a terminal only, and never when NO_COLOR is set."
)]
pub(crate) struct Typed {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Package(Package),
    Inspect(Inspect),
    Config(Config),
    Render(Render),
    Status(Status),
    Logs(Logs),
    Builds(Builds),
    Doctor(Doctor),
    Completions(Completions),
}

/// Make a chaincode package from source.
///
/// The language is found out: Go, a module with its main package in DIR; Node, a package.json in
/// DIR; or Java, a pom.xml, build.gradle or build.gradle.kts, or else jars. The whole module goes
/// in, a vendor directory included, of Node all but `node_modules`, of Java all but what was built;
/// META-INF beside the main package becomes that of the chaincode. Earlier packages stay out, and
/// so do hidden files, unless the code embeds them or a package manager reads them. The
/// same source and label give the same package ID on every machine, so organisations can compare
/// what they install; with --vendor that is so as long as the dependencies are the same, which those
/// of Node without a lock file, and native modules that are compiled, are not everywhere.
///
/// With Go, npm, Maven or Gradle on the PATH what goes in is built first, as the launcher will: an installer
/// learns from a peer only that a build failed, not why.
///
/// A directory that holds a `connection.json`, and no code, makes a package of type ccaas: of a
/// chaincode that is served elsewhere, and that the peers dial. One that holds an `image.json`, as
/// fabric-builder-k8s takes it, makes one of type k8s: of an image that is there. A program that is
/// compiled already, or a directory with one and no code, makes one of type binary.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge package ./asset-transfer --label basic_1.0\n  \
    selvedge package . --label basic_1.1 -o /tmp/basic.tar.gz --force\n  \
    peer lifecycle chaincode install basic_1.0.tar.gz\n\n\
    In a script:\n  \
    id=$(selvedge package . --label basic_1.0 --json | jq -r .package_id)")]
#[expect(clippy::struct_excessive_bools, reason = "as typed: each is a flag of its own")]
pub(crate) struct Package {
    /// Directory of the chaincode's main package, or of its `image.json` or `connection.json`; or its
    /// program
    #[arg(value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) directory: PathBuf,

    /// Label of the package, such as `basic_1.0`: letters, digits and any of `_ . + -`
    #[arg(short, long)]
    pub(crate) label: Label,

    /// File to write [default: <LABEL>.tar.gz in the current directory]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Take the dependencies along, for builds without a network: Go's modules and those that replace
    /// some, Node's packages, or what Maven builds with; those in `vendor`, `node_modules` or
    /// `maven-repository` as they are. Node's workspaces, dependencies in other directories of the
    /// package, and Gradle's, cannot be taken along
    #[arg(long)]
    pub(crate) vendor: bool,

    /// Package it without compiling it first
    #[arg(long)]
    pub(crate) no_compile: bool,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Tell what is in a package, and every reason why it would be refused; or what is told of an image.
///
/// A package is read as a peer reads it. Exit code 1 means that the peer, or Selvedge, would refuse it.
///
/// An image is one in a registry (HOST/NAME@DIGEST or HOST/NAME:TAG), which is asked with the
/// credentials that docker keeps, or in a directory that is an OCI image layout (DIR, or
/// oci:DIR@DIGEST). Told is what it says of itself, and the provenance and the SBOM beside it, which
/// nobody has signed: they are worth as much as the place where they lie. Exit code 1 means that it is
/// not of the package.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge inspect basic_1.0.tar.gz\n  \
    selvedge inspect --compile basic_1.0.tar.gz\n  \
    selvedge inspect --json basic_1.0.tar.gz | jq '.refusals[].reason'\n  \
    selvedge inspect registry.example.com/selvedge/chaincode@sha256:... --package basic_1.0.tar.gz\n  \
    selvedge inspect oci:/var/lib/selvedge/images@sha256:... --sbom > sbom.cdx.json")]
#[expect(clippy::struct_excessive_bools, reason = "as typed: each is a flag of its own")]
pub(crate) struct Inspect {
    /// The package, or the image
    #[arg(value_name = "FILE|IMAGE", value_hint = ValueHint::AnyPath)]
    pub(crate) subject: PathBuf,

    /// Compile a package's code too, with the tools in the PATH
    #[arg(short, long)]
    pub(crate) compile: bool,

    /// Tell whether the image says that it was made of this package's source
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) package: Option<PathBuf>,

    /// Print what the image is made of, and nothing else: the SBOM beside it, a `CycloneDX` document
    #[arg(long, conflicts_with_all = ["json", "package"])]
    pub(crate) sbom: bool,

    /// Speak plain HTTP with the image's registry
    #[arg(long)]
    pub(crate) plain_http: bool,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge completions bash > ~/.local/share/bash-completion/completions/selvedge\n  \
    selvedge completions zsh > ~/.zfunc/_selvedge")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}
