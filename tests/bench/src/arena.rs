//! The arena: one peer with the same chaincode twice, directly and behind the proxy,
//! so that nothing but the path of a message differs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::{Gateway, Op, chaincode_dir};
use tempfile::TempDir;
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, Peer,
    PeerSpec, Release, dist_dir,
};

use crate::usage::Process;

const MSP_ID: &str = "Org1MSP";

/// A network on which chaincode runs directly or behind the proxy, by its name; ends when dropped.
pub(crate) struct Ground {
    network: Network,
    launcher: Launcher,
    dist: PathBuf,
    /// What a direct chaincode runs.
    program: PathBuf,
    files: TempDir,
}

/// A chaincode in the arena, and how to call it.
pub(crate) struct Contender {
    /// A client of its own.
    pub(crate) gateway: Gateway,
    /// Its process.
    pub(crate) process: Process,
    package_id: String,
}

impl Contender {
    /// The process that runs now.
    pub(crate) fn find_process(&self) -> Result<Process> {
        process_of(&self.package_id)
    }
}

/// The network with both chaincodes; ends when dropped.
pub(crate) struct Arena {
    /// The chaincode that dials the peer.
    pub(crate) direct: Contender,
    /// The one behind the proxy.
    pub(crate) proxied: Contender,
    /// The process with the proxy.
    pub(crate) launcher: Process,
    /// The peer.
    pub(crate) peer: Process,
    ground: Ground,
}

impl Arena {
    /// Raises it, and writes the key `k` with either chaincode.
    pub(crate) fn raise() -> Result<Self> {
        let ground = Ground::raise(Release::V3_1_1, |_| ())?;
        let proxied = ground.contender("proxied")?;
        let direct = ground.contender("direct")?;
        Ok(Self {
            direct,
            proxied,
            launcher: Process::new(ground.launcher.pid()),
            peer: Process::new(ground.peer().pid()),
            ground,
        })
    }

    /// Deploys another chaincode behind a proxy of its own.
    pub(crate) fn deploy(&self, name: &str) -> Result<Contender> {
        self.ground.contender(name)
    }
}

impl Ground {
    /// Raises the network, with what is special about the peer.
    pub(crate) fn raise(release: Release, special: fn(&mut PeerSpec)) -> Result<Self> {
        let files = TempDir::new().context("no temporary directory")?;
        let dist = dist_dir();
        let launcher = Launcher::start(&LauncherSpec::new(dist.join("bin/selvedge-launcher")))?;
        let program = files.path().join("chaincode");
        let mut peer = peer(&launcher, &dist, &direct_builder(files.path())?, &program);
        special(&mut peer);
        let binaries = Binaries::obtain(release, &mut |line| eprintln!("{line}"))?;
        let network = Network::start(&binaries, &NetworkSpec::new(vec![peer]))?;
        Ok(Self { network, launcher, dist, program, files })
    }

    /// Its peer.
    pub(crate) fn peer(&self) -> &Peer {
        self.network.peer(MSP_ID)
    }

    /// Deploys the ledger contract; its name begins with `direct` or is another one, and the first
    /// has to be another one: a direct one runs the very file that this one does.
    pub(crate) fn contender(&self, name: &str) -> Result<Contender> {
        let package = self.files.path().join(format!("{name}.tar.gz"));
        let packaged = Command::new(self.dist.join("bin/selvedge"))
            .arg("package")
            .arg(chaincode_dir("ledger"))
            .args(["--label", &format!("{name}_1.0"), "-o"])
            .arg(&package)
            .output()
            .context("cannot run selvedge")?;
        ensure!(packaged.status.success(), "{}", String::from_utf8_lossy(&packaged.stderr));
        let package_id = self.network.deploy(&package, &Definition::new(name))?;
        let access = self.peer().gateway_access();
        let mut gateway = Gateway::connect(&access, self.network.channel(), name);
        // The first call waits until the peer has started it.
        gateway.call(Op::Submit, &["Put", "k", "v"]).map_err(anyhow::Error::msg)?;
        let process = process_of(&package_id)?;
        if !self.program.exists() {
            fs::copy(process.executable(), &self.program).context("cannot copy the chaincode")?;
        }
        Ok(Contender { gateway, process, package_id })
    }
}

fn process_of(package_id: &str) -> Result<Process> {
    Process::of_chaincode(package_id).with_context(|| format!("no process runs {package_id}"))
}

fn peer(launcher: &Launcher, dist: &Path, direct: &Path, program: &Path) -> PeerSpec {
    let builder = ExternalBuilder {
        name: "direct".to_owned(),
        path: direct.to_owned(),
        propagate_environment: vec!["BENCH_CHAINCODE".to_owned()],
    };
    let mut peer = PeerSpec::new(MSP_ID, builder);
    peer.builders.push(ExternalBuilder::selvedge(dist));
    peer.environment.insert("BENCH_CHAINCODE".to_owned(), program.into());
    peer.environment.insert("SELVEDGE_LAUNCHER".to_owned(), launcher.address().into());
    peer
}

/// A directory whose `bin/` holds the builder under the names that a peer calls.
fn direct_builder(files: &Path) -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("direct-builder");
    ensure!(program.is_file(), "{} is missing", program.display());
    let directory = files.join("direct");
    fs::create_dir_all(directory.join("bin"))?;
    for name in ["detect", "build", "release", "run"] {
        symlink(&program, directory.join("bin").join(name))?;
    }
    Ok(directory)
}
