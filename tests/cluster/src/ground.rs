//! The namespaces that a cluster's machines are made of, and the network between them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use testbed::cache::{self, CacheError, io_error};
use testbed::process::{Server, ServerCommand, ServerError};
use testbed::scratch::ScratchDir;
use thiserror::Error;

use crate::network::Lan;

/// How long another cluster's coming or going, and the sweeping of dead ones, may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why there is nothing for a cluster to stand on.
#[derive(Debug, Error)]
pub enum GroundError {
    /// The namespaces could not be made.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The script said something else than it should.
    #[error("cannot read {said:?}, which ground.sh said")]
    Garbled {
        /// What it said.
        said: String,
    },
    /// What a cluster left could not be removed.
    #[error("cannot remove what clusters left: {said}")]
    Left {
        /// What ground.sh said.
        said: String,
    },
}

/// The machines of a cluster, switched on. Dropping this switches them off and removes all trace.
#[derive(Debug)]
pub(crate) struct Ground {
    server: Server,
    pub(crate) lan: Lan,
    pub(crate) machines: Vec<Machine>,
}

/// One machine: namespaces of its own, and a directory.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) name: String,
    /// Its files, the same path inside and outside.
    pub(crate) dir: PathBuf,
    /// The process whose namespaces it is.
    pid: u32,
    scratch: ScratchDir,
    search_path: OsString,
}

impl Ground {
    /// Switches machines of these names on; the first is the control plane's.
    pub(crate) fn start(
        scratch: &ScratchDir,
        names: &[String],
        search_path: &OsStr,
    ) -> Result<Self, GroundError> {
        write(&scratch.join("machine.sh"), include_str!("ground/machine.sh"))?;
        let script = scratch.join("ground.sh");
        write(&script, include_str!("ground/ground.sh"))?;
        let leases = leases()?;
        for dir in names.iter().map(|name| scratch.join(name)).chain([scratch.join("logs")]) {
            fs::create_dir_all(&dir).map_err(|e| io_error("create", &dir, e))?;
        }
        let mut arguments = vec![script.into(), scratch.path().into(), leases.into()];
        arguments.extend(names.iter().map(OsString::from));
        let mut server = Server::start(
            scratch,
            ServerCommand {
                name: "the cluster's namespaces".to_owned(),
                program: "sh".into(),
                arguments,
                environment: [("PATH".to_owned(), search_path.to_owned())].into(),
                dir: scratch.path().to_owned(),
                log: scratch.join("logs/ground.log"),
                grace: Duration::from_secs(20),
            },
        )?;
        let line = server.await_line("ready ", PATIENCE)?;
        let garbled = || GroundError::Garbled { said: line.clone() };
        let mtu = read(&scratch.join("mtu"))?.trim().parse().map_err(|_| garbled())?;
        let numbers: Option<Vec<u32>> =
            line.split_whitespace().skip(1).map(|word| word.parse().ok()).collect();
        let (number, pids) = match numbers.as_deref() {
            Some([number, pids @ ..]) if pids.len() == names.len() => (*number, pids),
            _ => return Err(garbled()),
        };
        let number = u8::try_from(number).map_err(|_| garbled())?;
        let machines = names.iter().zip(pids).map(|(name, pid)| Machine {
            name: name.clone(),
            dir: scratch.join(name),
            pid: *pid,
            scratch: scratch.clone(),
            search_path: search_path.to_owned(),
        });
        Ok(Self { server, lan: Lan::new(number, mtu), machines: machines.collect() })
    }

    /// Lets the machines live on when this process ends.
    pub(crate) fn keep(&mut self) {
        self.server.keep();
    }
}

impl Machine {
    /// Starts a server on the machine. It ends by SIGKILL: nothing of it is needed any more.
    pub(crate) fn start(
        &self,
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Server, ServerError> {
        let pid = self.pid;
        let mut enter: Vec<OsString> =
            ["--mount", "--uts", "--ipc", "--net"].map(Into::into).into();
        enter.push(format!("--target={pid}").into());
        // The machine's process is in the old process namespace itself; its children are not.
        enter.push(format!("--pid=/proc/{pid}/ns/pid_for_children").into());
        enter.extend(["--".into(), program.into()]);
        enter.extend(arguments);
        Server::start(
            &self.scratch,
            ServerCommand {
                name: format!("{name} of {}", self.name),
                program: "nsenter".into(),
                arguments: enter,
                environment: [
                    ("PATH".to_owned(), self.search_path.clone()),
                    // The scratch directory's own is not what a machine should fill.
                    ("TMPDIR".to_owned(), "/tmp".into()),
                ]
                .into(),
                dir: self.scratch.path().to_owned(),
                log: self.scratch.join(&format!("logs/{}-{name}.log", self.name)),
                grace: Duration::ZERO,
            },
        )
    }

    /// Where its servers belong to.
    pub(crate) fn scratch(&self) -> &ScratchDir {
        &self.scratch
    }

    /// Writes one of its files and returns the path.
    pub(crate) fn write(
        &self,
        name: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<PathBuf, CacheError> {
        let path = self.dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| io_error("create", parent, e))?;
        }
        write(&path, content)?;
        Ok(path)
    }
}

/// Removes what dead clusters left, and the cluster in `dir` even if it is not dead; what it did,
/// a line each.
pub(crate) fn clear(dir: &Path) -> Result<Vec<String>, GroundError> {
    let script = include_str!("ground/ground.sh");
    let output =
        Command::new("sh").args(["-c", script, "ground.sh"]).arg(dir).arg(leases()?).output();
    let output = output.map_err(|error| GroundError::Left { said: error.to_string() })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        return Err(GroundError::Left { said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect())
}

/// The directory in which every live cluster has a locked file.
pub(crate) fn leases() -> Result<PathBuf, CacheError> {
    let leases = cache::root()?.join("clusters");
    fs::create_dir_all(&leases).map_err(|e| io_error("create", &leases, e))?;
    Ok(leases)
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), CacheError> {
    fs::write(path, content).map_err(|e| io_error("write", path, e))
}

pub(crate) fn read(path: &Path) -> Result<String, CacheError> {
    fs::read_to_string(path).map_err(|e: io::Error| io_error("read", path, e))
}
