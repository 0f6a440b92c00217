//! A peer and its launcher on this machine.

use std::path::Path;

use anyhow::Result;
use testbed::{
    Binaries, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, PeerSpec, Release,
    dist_dir,
};

use super::round::Installs;

const MSP_ID: &str = "Org1MSP";

/// They; they end when dropped.
pub(super) struct Here {
    network: Network,
    _launcher: Launcher,
}

impl Here {
    pub(super) fn raise() -> Result<Self> {
        let mut launcher = LauncherSpec::new(dist_dir().join("bin/selvedge-launcher"));
        // Its tools find nothing that others have fetched or compiled.
        for variable in ["SELVEDGE_TOOLS_DIR", "HOME", "GOPATH", "GOMODCACHE"] {
            launcher.environment.insert(variable.to_owned(), String::new().into());
        }
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
