//! The images of a peer and of its launcher, as `images/*.containerfile` describe them, made
//! without Docker.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use cluster::Cluster;
use selvedge_buildpack::image::{BaseError, ca_bundle_path};
use selvedge_buildpack::platform::{Platform, UnsupportedPlatform};
use testbed::Binaries;
use testbed::cache::{CacheError, io_error};
use testbed::material::core_config::{ExternalBuilder, PeerConfig, core_config};
use testbed::material::{Address, NodeMaterial};
use testbed::scratch::{Scratch, ScratchError};
use thiserror::Error;

/// Where the manifests have the peer's keys.
const CONFIG: &str = "/etc/hyperledger/fabric";

/// Where the manifests have the peer's ledgers.
const DATA: &str = "/var/hyperledger/production";

/// What the peer's image sets, as its container file does.
const PEER_ENVIRONMENT: [&str; 4] = [
    "PATH=/usr/local/bin:/bin",
    "FABRIC_CFG_PATH=/etc/hyperledger/fabric",
    "CORE_CHAINCODE_EXTERNALBUILDERS=[{name: selvedge, path: /opt/selvedge, \
     propagateEnvironment: [SELVEDGE_LAUNCHER]}]",
    "CORE_VM_ENDPOINT=",
];

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum ImagesError {
    /// No directory to make it in.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] CacheError),
    /// A program did not start.
    #[error("cannot run {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// The program.
        program: String,
        /// What it said.
        said: String,
    },
    /// The machine is of a kind that Selvedge makes no images for.
    #[error(transparent)]
    Platform(#[from] UnsupportedPlatform),
    /// No CA certificates.
    #[error(transparent)]
    Certificates(#[from] BaseError),
}

/// References, by digest, of images in a cluster's registry.
#[derive(Clone, Debug)]
pub struct Images {
    /// A peer with the builders in it.
    pub peer: String,
    /// The launcher.
    pub launcher: String,
}

impl Images {
    /// Makes both, with Selvedge's programs in `dist`, and pushes them to the cluster's registry.
    pub fn make(cluster: &Cluster, binaries: &Binaries, dist: &Path) -> Result<Self, ImagesError> {
        let press = Press::new(cluster)?;
        Ok(Self { peer: press.peer(binaries, dist)?, launcher: press.launcher(dist)? })
    }
}

struct Press<'a> {
    cluster: &'a Cluster,
    crane: PathBuf,
    platform: String,
    scratch: Scratch,
}

impl<'a> Press<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self, ImagesError> {
        let platform = Platform::host()?;
        let platform = format!("{}/{}", platform.os(), platform.architecture());
        let crane = cluster.tools().program("crane");
        Ok(Self { cluster, crane, platform, scratch: Scratch::create()? })
    }

    fn peer(&self, binaries: &Binaries, dist: &Path) -> Result<String, ImagesError> {
        // A shell beside the peer, as Fabric's own image has one.
        let shell = self.scratch.dir().join("busybox.tar");
        let busybox = self.cluster.image("busybox");
        self.crane(["export", &busybox].map(OsStr::new).into_iter().chain([shell.as_os_str()]))?;
        let root = self.scratch.dir().join("peer");
        place(&binaries.dir().join("peer"), &root.join("usr/local/bin/peer"))?;
        for builder in ["detect", "build", "release", "run"] {
            place(&dist.join("bin").join(builder), &root.join("opt/selvedge/bin").join(builder))?;
        }
        let core = core_config(&peer_config(binaries));
        write(&root.join(&CONFIG[1..]).join("core.yaml"), format!("{core:#}\n").as_bytes())?;
        let layer = layer(&root)?;
        let environment = PEER_ENVIRONMENT.iter().flat_map(|pair| ["--env", *pair]).collect();
        self.push("fabric-peer", &[&shell, &layer], environment)
    }

    fn launcher(&self, dist: &Path) -> Result<String, ImagesError> {
        let root = self.scratch.dir().join("launcher");
        let program = "usr/local/bin/selvedge-launcher";
        place(&dist.join("bin/selvedge-launcher"), &root.join(program))?;
        let certificates = ca_bundle_path(env::var_os("SSL_CERT_FILE"))?;
        place(&certificates, &root.join("etc/ssl/certs/ca-certificates.crt"))?;
        let user = b"selvedge:x:65532:65532:selvedge:/:/sbin/nologin\n";
        write(&root.join("etc/passwd"), user)?;
        let layer = layer(&root)?;
        let entrypoint = format!("/{program}");
        let settings = vec!["--entrypoint", &entrypoint, "--user", "65532:65532"];
        self.push("selvedge-launcher", &[&layer], settings)
    }

    /// An image of the layers; its reference by digest.
    fn push(
        &self,
        name: &str,
        layers: &[&Path],
        settings: Vec<&str>,
    ) -> Result<String, ImagesError> {
        let image = format!("{}/{name}:1", self.cluster.registry());
        let append = ["append", "--insecure", "--oci-empty-base", "-t", &image].map(OsStr::new);
        let layers = layers.iter().flat_map(|layer| [OsStr::new("-f"), layer.as_os_str()]);
        self.crane(append.into_iter().chain(layers))?;
        let mutate = ["mutate", "--insecure", &image, "-t", &image];
        let mutate = mutate.into_iter().chain(["--set-platform", &self.platform]).chain(settings);
        let reference = self.crane(mutate.map(OsStr::new))?;
        Ok(reference.lines().last().unwrap_or_default().trim().to_owned())
    }

    fn crane<'b>(&self, arguments: impl Iterator<Item = &'b OsStr>) -> Result<String, ImagesError> {
        run(Command::new(&self.crane).args(arguments))
    }
}

/// The content of `root` as a layer, everything root's and as old as the epoch.
fn layer(root: &Path) -> Result<PathBuf, ImagesError> {
    let layer = root.with_extension("tar");
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0"]);
    run(tar.arg("-C").arg(root).arg("-cf").arg(&layer).arg("."))?;
    Ok(layer)
}

/// What is the same for every peer; the manifests' environment has the rest.
fn peer_config(binaries: &Binaries) -> PeerConfig {
    let config = Path::new(CONFIG);
    let anywhere = |port| Address { host: "0.0.0.0".to_owned(), port };
    PeerConfig {
        release: binaries.release(),
        id: "peer".to_owned(),
        msp_id: String::new(),
        listen: anywhere(7051),
        address: anywhere(7051),
        chaincode_listen: Address::local(7052),
        chaincode_address: Address::local(7052),
        operations_listen: Address::local(0),
        material: NodeMaterial { msp: config.join("msp"), tls: config.join("tls") },
        data: DATA.into(),
        builders: vec![ExternalBuilder::selvedge("/opt/selvedge".as_ref())],
        limits: testbed::ChaincodeLimits::default(),
    }
}

fn run(command: &mut Command) -> Result<String, ImagesError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|source| ImagesError::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(ImagesError::Failed { program, said })
}

fn place(from: &Path, to: &Path) -> Result<(), CacheError> {
    make_parent(to)?;
    fs::copy(from, to).map(drop).map_err(|e| io_error("copy", from, e))
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), CacheError> {
    make_parent(path)?;
    fs::write(path, content).map_err(|e| io_error("write", path, e))
}

fn make_parent(path: &Path) -> Result<(), CacheError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|e| io_error("create", parent, e))
}
