//! What was typed of `selvedge builds`.

use clap::Args;

use super::at_launcher::AtLauncher;

/// Tell of the builds that go on and of the last 50 that have ended, or of one with all its lines.
///
/// A build is begun when a package is installed, or when an image that is to run is gone. Its state is
/// waiting (for other builds, or the launcher's start), running, done, failed, or abandoned (who called
/// for it is gone). Its key tells sources, recipes, toolchains and bases apart: of the same key the
/// image is there already. Numbers are this launcher's, counted since it was started.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge builds\n  \
    selvedge builds 3 --follow\n  \
    selvedge builds --json | jq '.[] | select(.state == \"failed\") | .reason'\n\n\
    What --json prints:\n  \
    [].{id, label, type, path, state, begun, ended, key, image, reason, peer}; of one build also\n  \
    lines[].{at, replica, text}\n  \
    What is not known or not so is null; times are of UTC. Keys may be added, and none changes.")]
pub(crate) struct Builds {
    /// The number of a build
    pub(crate) id: Option<u64>,

    /// Go on until the build has ended
    #[arg(short, long, requires = "id", conflicts_with = "json")]
    pub(crate) follow: bool,

    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) at: AtLauncher,
}
