//! A stage: a launcher and a Fabric network that uses it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testbed::dist::workspace_dir;
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, Peer,
    PeerSpec, Release, dist_dir,
};

use crate::gateway::Gateway;
use crate::packages::package;

/// The organisation of a stage's peer.
const MSP_ID: &str = "Org1MSP";

/// What stage to raise.
pub struct StageSpec {
    /// The Fabric release.
    pub release: Release,
    /// What the operator's file says: keys by their paths, and their values.
    pub settings: Vec<(&'static str, Value)>,
    /// Added to the launcher's environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// Whether the launcher serves its page.
    pub page: bool,
    /// Changes the network before it is raised.
    pub network: fn(&mut NetworkSpec),
}

impl StageSpec {
    /// Everything at its defaults.
    pub fn new(release: Release) -> Self {
        let (settings, environment) = (Vec::new(), Vec::new());
        Self { release, settings, environment, page: false, network: |_| {} }
    }
}

/// A running stage; dropping it ends everything on it.
pub struct Stage {
    /// The network, with one peer.
    pub network: Network,
    /// The launcher that the peer's builders talk to.
    pub launcher: Launcher,
    /// The Fabric release.
    pub release: Release,
}

/// The directory of one of our own chaincodes.
pub fn chaincode_dir(name: &str) -> PathBuf {
    workspace_dir().join("tests/chaincode").join(name)
}

/// Where a peer of the network keeps what was built of a package (Fabric's
/// `core/container/externalbuilder`, `SanitizeCCIDPath`).
pub fn build_dir(network: &Network, msp_id: &str, package_id: &str) -> PathBuf {
    let organisation = msp_id.trim_end_matches("MSP").to_lowercase();
    network
        .dir()
        .join(organisation)
        .join("data/externalbuilder/builds")
        .join(package_id.replace(':', "-"))
}

impl Stage {
    /// Raises a stage; prints what takes long.
    ///
    /// # Panics
    ///
    /// When it cannot be raised: there is nothing to test then.
    pub fn raise(spec: &StageSpec) -> Self {
        let dist = dist_dir();
        let mut launcher = LauncherSpec::new(dist.join("bin/selvedge-launcher"));
        launcher.page = spec.page;
        for (path, value) in &spec.settings {
            launcher.file.say(path, value.clone());
        }
        for (name, value) in &spec.environment {
            launcher.environment.insert((*name).to_owned(), value.clone());
        }
        let launcher = Launcher::start(&launcher).expect("the launcher starts");
        let mut peer = PeerSpec::new(MSP_ID, ExternalBuilder::selvedge(&dist));
        peer.environment.insert("SELVEDGE_LAUNCHER".into(), launcher.address().into());
        let mut network = NetworkSpec::new(vec![peer]);
        (spec.network)(&mut network);
        let binaries = Binaries::obtain(spec.release, &mut |line| eprintln!("{line}"))
            .expect("Fabric's binaries");
        let network = Network::start(&binaries, &network).expect("the network starts");
        Self { network, launcher, release: spec.release }
    }

    /// The stage's peer.
    pub fn peer(&self) -> &Peer {
        self.network.peer(MSP_ID)
    }

    /// Packages a directory with `selvedge package`; the package's path.
    ///
    /// # Panics
    ///
    /// When `selvedge` refuses.
    pub fn package(&self, source: &Path, label: &str) -> PathBuf {
        let file = self.network.dir().join(format!("{label}.tar.gz"));
        package(source, label, &file);
        file
    }

    /// Packages, installs, approves and commits a chaincode; its package ID.
    ///
    /// # Panics
    ///
    /// When a step fails; the message has what the peer said.
    pub fn deploy(&self, source: &Path, definition: &Definition) -> String {
        let package = self.package(source, &format!("{}_1.0", definition.name));
        self.network.deploy(&package, definition).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Where the peer keeps what was built of a package.
    pub fn build_dir(&self, package_id: &str) -> PathBuf {
        build_dir(&self.network, MSP_ID, package_id)
    }

    /// A client of a chaincode.
    pub fn gateway(&self, chaincode: &str) -> Gateway {
        Gateway::connect(&self.peer().gateway_access(), self.network.channel(), chaincode)
    }
}
