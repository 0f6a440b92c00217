//! A peer and its launcher on this machine.

use std::path::Path;

use anyhow::Result;
use testbed::{
    Binaries, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, PeerSpec, Release,
    dist_dir,
};

use super::round::Installs;

const MSP_ID: &str = "Org1MSP";

/// What the launcher's tools are not told: where others fetched and compiled; and whom to trust, of which
/// cargo tells who runs by it, and of which the tools by hand take no notice either.
const UNTOLD: [&str; 6] =
    ["SELVEDGE_TOOLS_DIR", "HOME", "GOPATH", "GOMODCACHE", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// They; they end when dropped.
pub(super) struct Here {
    network: Network,
    _launcher: Launcher,
}

impl Here {
    pub(super) fn raise() -> Result<Self> {
        let mut launcher = LauncherSpec::new(dist_dir().join("bin/selvedge-launcher"));
        launcher.environment.clear();
        launcher.without = UNTOLD.map(str::to_owned).into();
        let launcher = Launcher::start(&launcher)?;
        let mut peer = PeerSpec::new(MSP_ID, ExternalBuilder::selvedge(&dist_dir()));
        peer.environment.insert("SELVEDGE_LAUNCHER".to_owned(), launcher.address().into());
        let binaries = Binaries::obtain(Release::V3_1_1, &mut |line| eprintln!("{line}"))?;
        let network = Network::start(&binaries, &NetworkSpec::new(vec![peer]))?;
        Ok(Self { network, _launcher: launcher })
    }
}

impl Installs for Here {
    fn install(&self, package: &Path) -> Result<()> {
        self.network.peer(MSP_ID).install(package)?;
        Ok(())
    }
}
