//! The images of a peer and of its launcher, as `images/*.containerfile` describe them, made
//! without Docker: by the code that makes chaincodes' images.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io, iter};

use cluster::Cluster;
use selvedge_buildpack::image::oci_spec::OciSpecError;
use selvedge_buildpack::image::oci_spec::image::{
    Config, ConfigBuilder, ImageConfigurationBuilder, RootFsBuilder,
};
use selvedge_buildpack::image::{
    AssembleError, BaseError, Image, Layer, Layout, LayoutError, ca_bundle_path,
};
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
pub const DATA: &str = "/var/hyperledger/production";

/// A static shell, with the commands in it, which the testbed installs.
const BUSYBOX: &str = "/usr/bin/busybox";

/// What the images are called in the registry, where nobody looks for another.
const TAG: &str = "1";

/// What Fabric's own image sets.
const PEER_ENVIRONMENT: [&str; 2] =
    ["PATH=/usr/local/bin:/bin", "FABRIC_CFG_PATH=/etc/hyperledger/fabric"];

/// What is in the launcher's image.
const PROGRAMS: [&str; 7] =
    ["detect", "build", "release", "run", "selvedge-launcher", "selvedge-keeper", "selvedge"];

/// The variable that names a peer's builders.
pub(crate) const BUILDERS: &str = "CORE_CHAINCODE_EXTERNALBUILDERS";

/// The builder that Fabric's own image has.
pub(crate) fn ccaas_builder() -> ExternalBuilder {
    ExternalBuilder {
        name: "ccaas_builder".to_owned(),
        path: "/opt/hyperledger/ccaas_builder".into(),
        propagate_environment: vec!["CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG".to_owned()],
    }
}

/// Its value: the peer hands on to Selvedge where the launcher is, and these variables.
pub(crate) fn builders(variables: &[String]) -> String {
    let all = iter::once("SELVEDGE_LAUNCHER").chain(variables.iter().map(String::as_str));
    let all = all.collect::<Vec<_>>().join(", ");
    format!("[{{name: selvedge, path: /opt/selvedge, propagateEnvironment: [{all}]}}]")
}

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum ImagesError {
    /// No directory to make it in.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] CacheError),
    /// An image could not be assembled.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// A layer could not be made.
    #[error("cannot make a layer of {root}")]
    Layer {
        /// What was to be in it.
        root: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An image could not be described.
    #[error("cannot describe an image")]
    Describe(#[from] OciSpecError),
    /// An image could not be kept.
    #[error(transparent)]
    Layout(#[from] LayoutError),
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
    /// A peer with nothing of Selvedge in it.
    pub peer: String,
    /// The launcher, and all that it brings along.
    pub launcher: String,
    /// What Go's builds run in.
    pub toolchain: String,
    /// What Node's builds run in, and their chaincode.
    pub node: String,
    /// What Java's builds run in, and what it builds stands on.
    pub java: String,
}

impl Images {
    /// Makes both, with Selvedge's programs in `dist`, and pushes them to the cluster's registry.
    pub fn make(cluster: &Cluster, binaries: &Binaries, dist: &Path) -> Result<Self, ImagesError> {
        let press = Press::new(cluster)?;
        Ok(Self {
            peer: press.peer(binaries)?,
            launcher: press.launcher(dist)?,
            toolchain: press.by_digest(&cluster.image("toolchain"))?,
            node: press.by_digest(&cluster.image("node"))?,
            java: press.by_digest(&cluster.image("java"))?,
        })
    }
}

struct Press<'a> {
    cluster: &'a Cluster,
    platform: Platform,
    scratch: Scratch,
}

impl<'a> Press<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self, ImagesError> {
        Ok(Self { cluster, platform: Platform::host()?, scratch: Scratch::create()? })
    }

    fn peer(&self, binaries: &Binaries) -> Result<String, ImagesError> {
        let root = self.scratch.dir().join("peer");
        // A shell beside the peer, as Fabric's own image has one: Debian's, whose commands are in it.
        place(BUSYBOX.as_ref(), &root.join("bin/sh"))?;
        place(&binaries.dir().join("peer"), &root.join("usr/local/bin/peer"))?;
        let core = core_config(&peer_config(binaries));
        write(&root.join(&CONFIG[1..]).join("core.yaml"), format!("{core:#}\n").as_bytes())?;
        let start = ConfigBuilder::default().env(PEER_ENVIRONMENT.map(str::to_owned)).build()?;
        self.push("fabric-peer", &root, start)
    }

    fn launcher(&self, dist: &Path) -> Result<String, ImagesError> {
        let root = self.scratch.dir().join("launcher");
        for program in PROGRAMS {
            place(&dist.join("bin").join(program), &root.join("usr/local/bin").join(program))?;
        }
        let certificates = ca_bundle_path(env::var_os("SSL_CERT_FILE"))?;
        place(&certificates, &root.join("etc/ssl/certs/ca-certificates.crt"))?;
        let user = b"selvedge:x:65532:65532:selvedge:/:/sbin/nologin\n";
        write(&root.join("etc/passwd"), user)?;
        let start = ConfigBuilder::default()
            .entrypoint(["/usr/local/bin/selvedge-launcher".to_owned()])
            .env(["PATH=/usr/local/bin".to_owned()])
            .user("65532:65532")
            .build()?;
        self.push("selvedge-launcher", &root, start)
    }

    /// An image of the registry as it is now.
    fn by_digest(&self, image: &str) -> Result<String, ImagesError> {
        let crane = self.cluster.tools().program("crane");
        let digest = run(Command::new(crane).args(["digest", "--insecure", "--full-ref", image]))?;
        Ok(digest.trim().to_owned())
    }

    /// An image with the content of `root`; its reference by digest.
    fn push(&self, name: &str, root: &Path, start: Config) -> Result<String, ImagesError> {
        let dir = root.with_extension("image");
        let images = Layout::create(&dir)?;
        let layer = Layer::of_directory(&images.scratch(), root);
        let layer = layer.map_err(|source| ImagesError::Layer { root: root.to_owned(), source })?;
        let layers =
            RootFsBuilder::default().typ("layers").diff_ids([layer.diff_id.to_string()]).build()?;
        let configuration = ImageConfigurationBuilder::default()
            .architecture(self.platform.architecture())
            .os(self.platform.os())
            .config(start)
            .rootfs(layers)
            .build()?;
        let image = Image::new(vec![layer], &configuration, self.platform)?;
        let repository = format!("{}/{name}", self.cluster.registry());
        let reference = format!("{repository}@{}", image.digest());
        images.add(image, &TAG.parse().expect("a digit is a tag"))?;
        let crane = self.cluster.tools().program("crane");
        let push = ["push", "--insecure"].map(OsStr::new).into_iter();
        let tag = format!("{repository}:{TAG}");
        run(Command::new(crane).args(push.chain([dir.as_os_str(), OsStr::new(&tag)])))?;
        Ok(reference)
    }
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
        builders: vec![ccaas_builder()],
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
