//! What a cluster runs: built from Go modules, unpacked from Debian's packages, made into images;
//! once, and then from the user's cache.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use testbed::binaries::{self, BuildError, Progress};
use testbed::cache::{self, CacheError};
use testbed::dist::workspace_dir;
use thiserror::Error;

use crate::debian::{self, Debian, DebianError};
use crate::images::{self, ImagesError};

/// A Go module of `tests/testbed/kubernetes` and the programs that are built from it.
struct Module {
    name: &'static str,
    packages: &'static [&'static str],
    /// What to say of its version: programs that know theirs by the linker alone.
    version: Option<(&'static str, &'static str)>,
}

const MODULES: [Module; 4] = [
    Module {
        name: "kubernetes",
        packages: &[
            "k8s.io/kubernetes/cmd/kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            "k8s.io/kubernetes/cmd/kubelet",
            "k8s.io/kubernetes/cmd/kube-proxy",
            "k8s.io/kubernetes/cmd/kubectl",
        ],
        version: Some(("k8s.io/component-base/version.gitVersion", "v1.33.13")),
    },
    Module { name: "coredns", packages: &["github.com/coredns/coredns"], version: None },
    Module {
        name: "kube-router",
        packages: &["github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"],
        version: None,
    },
    Module {
        name: "crane",
        packages: &["github.com/google/go-containerregistry/cmd/crane"],
        version: None,
    },
];

/// Everything that a cluster runs.
#[derive(Clone, Debug)]
pub struct Tools {
    /// One directory for each module.
    built: Vec<PathBuf>,
    debian: Debian,
    images: PathBuf,
}

/// Why there is no cluster on this machine.
#[derive(Debug, Error)]
pub enum ToolsError {
    /// Namespaces, mounts and control groups are root's.
    #[error(
        "a cluster needs root (network and mount namespaces, control groups): run the same \
         command as root, for example with `sudo -E env PATH=\"$PATH\"`"
    )]
    NotRoot,
    /// A program could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A package of the distribution could not be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// An image could not be made.
    #[error(transparent)]
    Images(#[from] ImagesError),
}

impl Tools {
    /// Takes everything from the cache, after making what is missing: from nothing 10 to 20
    /// minutes on two processors, once. Installs missing packages of the distribution.
    ///
    /// Blocks; needs root.
    pub fn obtain(progress: &mut Progress<'_>) -> Result<Self, ToolsError> {
        if !rustix::process::geteuid().is_root() {
            return Err(ToolsError::NotRoot);
        }
        debian::install(progress)?;
        let debian = Debian::obtain(progress)?;
        let built = MODULES
            .iter()
            .map(|module| module.obtain(progress))
            .collect::<Result<Vec<_>, BuildError>>()?;
        let mut tools = Self { built, debian, images: PathBuf::new() };
        tools.images = images::obtain(&tools, progress)?;
        Ok(tools)
    }

    /// One of the programs that were built: `kubectl`, `kubelet`, `crane`…
    ///
    /// # Panics
    ///
    /// When none of the modules builds a program of that name.
    pub fn program(&self, name: &str) -> PathBuf {
        self.built
            .iter()
            .map(|dir| dir.join(name))
            .find(|program| program.is_file())
            .unwrap_or_else(|| panic!("no module of the testbed builds {name}"))
    }

    pub(crate) fn debian(&self) -> &Debian {
        &self.debian
    }

    /// What the registry of a new cluster holds, in the registry's own form on disk.
    pub(crate) fn images(&self) -> &Path {
        &self.images
    }

    /// The `PATH` of what runs in a cluster: our own programs first.
    pub(crate) fn search_path(&self) -> OsString {
        let own = self.built.iter().cloned().chain(self.debian.program_dirs());
        let system = std::env::var_os("PATH").unwrap_or_default();
        // iptables and its kin are in sbin, which a plain user's PATH lacks.
        let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        let all = own.chain(std::env::split_paths(&system)).chain(sbin);
        std::env::join_paths(all).unwrap_or(system)
    }
}

impl Module {
    fn obtain(&self, progress: &mut Progress<'_>) -> Result<PathBuf, BuildError> {
        let module = workspace_dir().join("tests/testbed/kubernetes").join(self.name);
        let key = binaries::cache_key(&module)?;
        let entry = cache::root()?.join(format!("kubernetes/{}-{key}", self.name));
        cache::obtain(&entry, |partial| {
            let name = self.name;
            progress(&format!("building {name} (once; then cached)"));
            let started = Instant::now();
            let mut flags = "-s -w".to_owned();
            if let Some((variable, version)) = self.version {
                flags.extend([" -X ", variable, "=", version]);
            }
            let arguments = [&["-ldflags", &flags], self.packages].concat();
            // An output that is a directory takes all programs at once.
            fs::create_dir_all(partial).map_err(|e| cache::io_error("create", partial, e))?;
            binaries::go_build(&module, partial, &arguments, progress)?;
            progress(&format!("built {name} in {:.0} s", started.elapsed().as_secs_f32()));
            Ok(())
        })
    }
}
