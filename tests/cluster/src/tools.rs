//! What a cluster runs: built from Go modules, unpacked from Debian's packages, made into images;
//! once, and then from the user's cache.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use testbed::binaries::{BuildError, Progress};
use testbed::cache::CacheError;
use testbed::debian::DebianError;
use testbed::go_module::{CRANE, GoModule};
use thiserror::Error;

use crate::debian::{self, Debian};
use crate::images::{self, ImagesError, Ingredients};

const MODULES: [GoModule; 5] = [
    GoModule {
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
    GoModule { name: "coredns", packages: &["github.com/coredns/coredns"], version: None },
    GoModule {
        name: "kube-router",
        packages: &["github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"],
        version: None,
    },
    CRANE,
    GoModule { name: "helm", packages: &["helm.sh/helm/v4/cmd/helm"], version: None },
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
        tools.images = images::obtain(&tools.ingredients(), progress)?;
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

    fn ingredients(&self) -> Ingredients {
        Ingredients {
            coredns: self.program("coredns"),
            crane: self.program("crane"),
            registry: self.debian.program("docker-registry"),
        }
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
