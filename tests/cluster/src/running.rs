//! The clusters that were left running.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testbed::cache::{CacheError, io_error};
use testbed::process::wait_until;

use crate::ground::{GroundError, clear, leases, read};
use crate::kubectl::Kubectl;
use crate::tools::Tools;

/// The file with the pid of who ends the cluster.
pub(crate) const JANITOR: &str = "janitor";

/// The limit of an orderly end.
const END_LIMIT: Duration = Duration::from_secs(40);

/// A cluster that lives without the process that started it.
#[derive(Clone, Debug)]
pub struct Running {
    dir: PathBuf,
    janitor: i32,
}

/// All clusters of this user that were [kept](crate::Cluster::keep) and still run.
pub fn running() -> Result<Vec<Running>, CacheError> {
    let leases = leases()?;
    let entries = fs::read_dir(&leases).map_err(|e| io_error("read", &leases, e))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| is_locked(path)).filter_map(|path| Running::open(&path)).collect())
}

/// Removes what clusters left that ended in no order, as the next cluster would; what it did, a
/// line each.
pub fn sweep() -> Result<Vec<String>, GroundError> {
    clear("".as_ref())
}

/// ground.sh holds the lock as long as the cluster lives.
fn is_locked(lease: &Path) -> bool {
    File::open(lease).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

impl Running {
    fn open(lease: &Path) -> Option<Self> {
        let dir = PathBuf::from(read(lease).ok()?.trim());
        let janitor = read(&dir.join(JANITOR)).ok()?.parse().ok()?;
        Some(Self { dir, janitor })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// kubectl with all rights.
    pub fn kubectl(&self, tools: &Tools) -> Kubectl {
        Kubectl { program: tools.program("kubectl"), kubeconfig: self.kubeconfig() }
    }

    /// Ends it, in order if there is still somebody who would, and waits until nothing of it is
    /// left.
    pub fn end(&self) -> Result<(), GroundError> {
        if !self.end_in_order() {
            clear(&self.dir)?;
        }
        Ok(())
    }

    fn end_in_order(&self) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.janitor)).unwrap_or_default();
        // The pid may have been given to somebody else since.
        if !String::from_utf8_lossy(&line).contains(&*self.dir.to_string_lossy()) {
            return false;
        }
        let Some(janitor) = Pid::from_raw(self.janitor) else { return false };
        kill_process(janitor, Signal::TERM).is_ok() && wait_until(END_LIMIT, || !self.dir.exists())
    }
}
