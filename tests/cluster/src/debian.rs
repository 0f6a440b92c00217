//! Debian's share: tools that are installed, servers that are only unpacked.
//!
//! The servers (containerd, etcd, the registry) are taken out of their packages into the cache and
//! not installed: nothing of them is started, configured or enabled on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{fs, io};

use testbed::binaries::Progress;
use testbed::cache::{self, CacheError, io_error};
use thiserror::Error;

/// Packages without a server.
const TOOLS: [&str; 6] =
    ["busybox-static", "conntrack", "debootstrap", "ipset", "iproute2", "iptables"];

/// Packages with a server, and what belongs to one.
const SERVERS: [&str; 5] =
    ["containerd", "containernetworking-plugins", "docker-registry", "etcd-server", "runc"];

/// Another process of apt may be at work: wait for it this long, in seconds.
const PATIENCE: &str = "DPkg::Lock::Timeout=300";

/// The unpacked servers.
#[derive(Clone, Debug)]
pub(crate) struct Debian {
    root: PathBuf,
}

/// Why something of the distribution could not be had.
#[derive(Debug, Error)]
pub enum DebianError {
    /// The machine is no Debian.
    #[error("cannot run {program}: the cluster takes containerd, etcd and more from Debian")]
    Program {
        /// What is missing.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`{command}` failed:\n{said}")]
    Failed {
        /// The command line.
        command: String,
        /// What it said.
        said: String,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
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
    /// The servers' packages, unpacked. Of the version that was current when they were first
    /// taken: removing the directory from the cache takes newer ones.
    pub(crate) fn obtain(progress: &mut Progress<'_>) -> Result<Self, DebianError> {
        let release = release()?;
        let entry = cache::root()?.join(format!("kubernetes/debian-{release}"));
        let root = cache::obtain(&entry, |partial| {
            progress(&format!("unpacking {} (once; then cached)", SERVERS.join(" ")));
            run(&mut apt_get(&["update", "-qq"]))?;
            let mut download = apt_get(&["download", "-qq"]);
            // Not as the user _apt, who may not write here.
            run(download
                .args(["-o", "APT::Sandbox::User=root"])
                .args(SERVERS)
                .current_dir(partial))?;
            for package in packages_in(partial)? {
                run(Command::new("dpkg").arg("-x").arg(&package).arg(partial))?;
                fs::remove_file(&package).map_err(|e| io_error("remove", &package, e))?;
            }
            Ok::<(), DebianError>(())
        })?;
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

/// The name of this machine's release: `bookworm`.
pub(crate) fn release() -> Result<String, DebianError> {
    let path = Path::new("/etc/os-release");
    let text = fs::read_to_string(path).map_err(|e| io_error("read", path, e))?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(|name| name.trim_matches('"').to_owned()).ok_or_else(|| {
        let missing = io::Error::other("no VERSION_CODENAME in it");
        io_error("find the release in", path, missing).into()
    })
}

/// Runs a command to its end; its output when it went well.
pub(crate) fn run(command: &mut Command) -> Result<Output, DebianError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| {
        let program = command_line(&mut std::iter::once(command.get_program()));
        DebianError::Program { program, source }
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(DebianError::Failed {
        command: command_line(
            &mut std::iter::once(command.get_program()).chain(command.get_args()),
        ),
        said: String::from_utf8_lossy(&said).trim_end().to_owned(),
    })
}

fn command_line(words: &mut dyn Iterator<Item = &OsStr>) -> String {
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).args(["-o", PATIENCE]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    run(&mut query).is_ok_and(|output| output.stdout == b"installed")
}

fn packages_in(dir: &Path) -> Result<Vec<PathBuf>, CacheError> {
    let entries = fs::read_dir(dir).map_err(|e| io_error("read", dir, e))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension() == Some(OsStr::new("deb"))).collect())
}
