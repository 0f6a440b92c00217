//! A temporary directory whose processes and files are gone when its owner is, however it ends.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use thiserror::Error;

const JANITOR: &str = include_str!("process/janitor.sh");
const SUPERVISOR: &str = include_str!("process/supervise.sh");

/// Unix socket paths end at 107 bytes (unix(7)); this leaves room for names below the directory.
const LONGEST_PARENT: usize = 60;

/// The janitors of this process's scratch directories, for [`end_all`].
static LIVE: Mutex<Vec<(Pid, PathBuf)>> = Mutex::new(Vec::new());

/// A scratch directory could not be made.
#[derive(Debug, Error)]
#[error("cannot make a scratch directory in {parent}", parent = parent.display())]
pub struct ScratchError {
    parent: PathBuf,
    source: io::Error,
}

/// The place of a [`Scratch`], for those who work in it but do not own it.
#[derive(Clone, Debug)]
pub struct ScratchDir(PathBuf);

impl ScratchDir {
    /// Its path, at most 70 bytes long.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file or directory in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Where supervisors register.
    pub(crate) fn pids(&self) -> PathBuf {
        self.join("pids")
    }

    /// The script that servers run under.
    pub(crate) fn supervisor(&self) -> PathBuf {
        self.join("supervise.sh")
    }

    /// The script that removes all of it.
    fn janitor(&self) -> PathBuf {
        self.join("janitor.sh")
    }

    /// `TMPDIR` of what runs here.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.join("tmp")
    }
}

/// A directory with a short path, watched by a janitor process that outlives us.
///
/// On drop, or when this process ends in any way, the janitor ends the servers that belong to
/// the directory, kills what else runs from it or in it, and removes it.
#[derive(Debug)]
pub struct Scratch {
    dir: ScratchDir,
    janitor: Child,
    /// Its closing tells the janitor that we are gone.
    alive: Option<ChildStdin>,
}

impl Scratch {
    /// Makes the directory and starts its janitor.
    pub fn create() -> Result<Self, ScratchError> {
        let parent = parent();
        Self::create_in(&parent).map_err(|source| ScratchError { parent, source })
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        // From here: whoever ends everything lets nothing begin.
        let mut live = live();
        let dir = tempfile::Builder::new().prefix("sv-").tempdir_in(parent)?;
        let place = ScratchDir(dir.path().to_owned());
        fs::create_dir(place.pids())?;
        fs::create_dir(place.temporary())?;
        fs::write(place.supervisor(), SUPERVISOR)?;
        fs::write(place.janitor(), JANITOR)?;
        let mut janitor = Command::new("sh")
            .arg(place.janitor())
            .arg(dir.path())
            // Not in our group: Ctrl-C is for us, and our end is what the janitor waits for.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let alive = janitor.stdin.take();
        if let Some(mut said) = janitor.stdout.take() {
            said.read_exact(&mut [0])?;
        }
        // From here on the janitor removes it.
        live.push((Pid::from_child(&janitor), TempDir::keep(dir)));
        drop(live);
        Ok(Self { dir: place, janitor, alive })
    }

    /// The directory.
    pub fn dir(&self) -> &ScratchDir {
        &self.dir
    }

    /// Lets the directory and its processes live on when this process ends. Returns the pid to
    /// send SIGTERM to, to end them all.
    pub fn keep(&mut self) -> u32 {
        if let Some(mut alive) = self.alive.take() {
            // Without a janitor there is nothing that would end them either.
            let _ = alive.write_all(b"keep\n");
        }
        live().retain(|(_, dir)| *dir != self.dir.0);
        self.janitor.id()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.alive.is_none() {
            return;
        }
        let _ = kill_process(Pid::from_child(&self.janitor), Signal::TERM);
        let _ = self.janitor.wait();
        live().retain(|(_, dir)| *dir != self.dir.0);
    }
}

/// Ends everything that this process raised and did not keep, and waits until it is gone: for a
/// signal handler, which must leave before destructors run. Nothing can be raised, kept or ended
/// any more after that, so that no other thread goes on as if nothing had happened.
pub fn end_all() {
    let live = live();
    for (janitor, _) in live.iter() {
        let _ = kill_process(*janitor, Signal::TERM);
    }
    let deadline = Instant::now() + Duration::from_secs(40);
    while live.iter().any(|(_, dir)| dir.exists()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    // Stays locked.
    std::mem::forget(live);
}

fn live() -> std::sync::MutexGuard<'static, Vec<(Pid, PathBuf)>> {
    LIVE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn parent() -> PathBuf {
    let parent = env::temp_dir();
    if parent.as_os_str().len() <= LONGEST_PARENT { parent } else { PathBuf::from("/tmp") }
}
