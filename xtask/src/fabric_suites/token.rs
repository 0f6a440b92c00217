//! A hardware module's token, as software plays it: `SoftHSM`, of Debian's package.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use testbed::Scratch;
use testbed::debian::install_missing;

use xtask::cargo::run;

/// What the suite looks for where nothing else is said (`FindPKCS11Lib` of fabric-lib-go's
/// `bccsp/pkcs11`).
const LABEL: &str = "ForFabric";
const PIN: &str = "98765432";

/// The variable by which whoever loads the library finds its settings.
const SETTINGS: &str = "SOFTHSM2_CONF";

/// A token. Its files go with it.
pub(super) struct Token {
    _files: Scratch,
}

impl Token {
    /// Makes a token of which `command`, and what it starts, will know.
    pub(super) fn make(command: &mut Command) -> Result<Self> {
        install_missing(&["softhsm2"], &mut |step| println!("{step}"))?;
        let files = Scratch::create()?;
        let (settings, tokens) = (files.dir().join("softhsm2.conf"), files.dir().join("tokens"));
        fs::create_dir(&tokens).with_context(|| format!("cannot make {}", tokens.display()))?;
        fs::write(&settings, format!("directories.tokendir = {}\n", tokens.display()))
            .with_context(|| format!("cannot write {}", settings.display()))?;
        let mut make = Command::new("softhsm2-util");
        make.args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]);
        run(make.env(SETTINGS, &settings))?;
        command.env(SETTINGS, settings);
        Ok(Self { _files: files })
    }
}
