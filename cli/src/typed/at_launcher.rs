//! Which launcher is asked.

use clap::Args;
use selvedge_client::{Address, Caller, LauncherError, NoAddress};

/// Which launcher is asked.
#[derive(Debug, Args)]
pub(crate) struct AtLauncher {
    /// Where the launcher listens [default: what `SELVEDGE_LAUNCHER` names, or
    /// `unix:/run/selvedge/launcher.sock`]
    #[arg(short, long, value_name = "ADDRESS", value_parser = address)]
    launcher: Option<Address>,
}

impl AtLauncher {
    /// Where it listens, unless what names that names nothing.
    pub(crate) fn resolve(self) -> Result<Address, LauncherError> {
        self.launcher.map_or_else(|| Address::from_environment(Caller::Person), Ok)
    }
}

fn address(text: &str) -> Result<Address, NoAddress> {
    Address::parse(text, Caller::Person)
}
