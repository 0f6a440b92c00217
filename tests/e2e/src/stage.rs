//! A stage: a launcher and a Fabric network that uses it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testbed::dist::workspace_dir;
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, Peer,
    PeerSpec, Release, dist_dir,
};

use crate::gateway::Gateway;

/// The organisation of a stage's peer.
const MSP_ID: &str = "Org1MSP";

/// What stage to raise.
pub struct StageSpec {
    /// The Fabric release.
    pub release: Release,
    /// Further arguments for the launcher.
    pub launcher_arguments: Vec<String>,
    /// Changes the network before it is raised.
    pub network: fn(&mut NetworkSpec),
}

impl StageSpec {
    /// Everything at its defaults.
    pub fn new(release: Release) -> Self {
        Self { release, launcher_arguments: Vec::new(), network: |_| {} }
    }
}

/// A running stage; dropping it ends everything on it.
pub struct Stage {
    /// The network, with one peer.
    pub network: Network,
    /// The launcher that the peer's builders talk to.
    pub launcher: Launcher,
    packages: TempDir,
}

/// The directory of one of our own chaincodes.
pub fn chaincode_dir(name: &str) -> PathBuf {
    workspace_dir().join("tests/chaincode").join(name)
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
        launcher.arguments = spec.launcher_arguments.iter().map(Into::into).collect();
        let launcher = Launcher::start(&launcher).expect("the launcher starts");
        let mut peer = PeerSpec::new(MSP_ID, ExternalBuilder::selvedge(&dist));
        peer.environment.insert("SELVEDGE_LAUNCHER".into(), launcher.address().into());
        let mut network = NetworkSpec::new(vec![peer]);
        (spec.network)(&mut network);
        let binaries = Binaries::obtain(spec.release, &mut |line| eprintln!("{line}"))
            .expect("Fabric's binaries");
        let network = Network::start(&binaries, &network).expect("the network starts");
        Self { network, launcher, packages: TempDir::new().expect("a temporary directory") }
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
        let package = self.packages.path().join(format!("{label}.tar.gz"));
        let output = Command::new(dist_dir().join("bin/selvedge"))
            .arg("package")
            .arg(source)
            .args(["--force", "--label", label, "-o"])
            .arg(&package)
            .output()
            .expect("selvedge runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        package
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

    /// A client of a chaincode.
    pub fn gateway(&self, chaincode: &str) -> Gateway {
        Gateway::connect(&self.peer().gateway_access(), self.network.channel(), chaincode)
    }
}
