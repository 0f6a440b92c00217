//! Debian's share: tools that are installed, servers that are only unpacked.

use std::path::PathBuf;
use std::process::Command;

use testbed::binaries::Progress;
use testbed::debian::{DebianError, apt_get, release, run, unpack};

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
    let missing: Vec<&str> = TOOLS.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    progress(&format!("installing {} (apt-get)", missing.join(" ")));
    run(&mut apt_get(&["update", "-qq"]))?;
    let mut install = apt_get(&["install", "-y", "-qq", "--no-install-recommends"]);
    run(install.args(missing))?;
    Ok(())
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

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    run(&mut query).is_ok_and(|output| output.stdout == b"installed")
}
