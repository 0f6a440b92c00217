//! Which launcher is asked.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use selvedge_client::{Address, Caller, LauncherError, NoAddress};

/// Which launcher is asked.
#[derive(Debug, Args)]
pub(crate) struct AtLauncher {
    /// Where the launcher listens [default: what `SELVEDGE_LAUNCHER` names, or
    /// `unix:/run/selvedge/launcher.sock`]
    #[arg(short, long, value_name = "ADDRESS", value_parser = address)]
    launcher: Option<Address>,

    /// What a launcher apart (`tls:HOST:PORT`) is shown: a directory with ca.crt, tls.crt and tls.key
    /// [default: what `SELVEDGE_CREDENTIALS` names, or /etc/selvedge/credentials]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    credentials: Option<PathBuf>,
}

impl AtLauncher {
    /// Where it listens, unless what names that names nothing.
    pub(crate) fn resolve(self) -> Result<Address, LauncherError> {
        let address =
            self.launcher.map_or_else(|| Address::from_environment(Caller::Person), Ok)?;
        Ok(match self.credentials {
            Some(directory) => address.showing(directory),
            None => address,
        })
    }
}

fn address(text: &str) -> Result<Address, NoAddress> {
    Address::parse(text, Caller::Person)
}
