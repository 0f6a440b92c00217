//! Debian's share: tools that are installed, servers that are only unpacked.

use std::path::PathBuf;

use testbed::binaries::Progress;
use testbed::debian::{DebianError, install_missing, release, unpack};

/// Packages without a server.
const TOOLS: [&str; 6] =
    ["busybox-static", "conntrack", "debootstrap", "ipset", "iproute2", "iptables"];

/// Packages with a server, and what belongs to one.
const SERVERS: [&str; 5] =
    ["containerd", "containernetworking-plugins", "docker-registry", "etcd-server", "runc"];

/// The unpacked servers.
#[derive(Clone, Debug)]
pub(crate) struct Debian {
    root: PathBuf,
}

/// Installs those of the tools that are missing.
pub(crate) fn install(progress: &mut Progress<'_>) -> Result<(), DebianError> {
    install_missing(&TOOLS, progress)
}

impl Debian {
    /// The servers' packages, unpacked.
    pub(crate) fn obtain(progress: &mut Progress<'_>) -> Result<Self, DebianError> {
        let root = unpack(&format!("kubernetes/debian-{}", release()?), &SERVERS, progress)?;
        Ok(Self { root })
    }

    /// Where the servers are.
    pub(crate) fn program_dirs(&self) -> [PathBuf; 2] {
        [self.root.join("usr/bin"), self.root.join("usr/sbin")]
    }

    /// Where the CNI plugins are.
    pub(crate) fn cni_plugins(&self) -> PathBuf {
        self.root.join("usr/lib/cni")
    }

    /// `/usr/bin/NAME` of the packages.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.root.join("usr/bin").join(name)
    }

    /// The container runtime proper.
    pub(crate) fn runc(&self) -> PathBuf {
        self.root.join("usr/sbin/runc")
    }
}
