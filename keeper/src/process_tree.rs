//! The processes that have come of one, as the kernel lists them.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// Where the kernel lists a process's threads, each of which has children of its own.
pub fn threads(process: Pid) -> Vec<PathBuf> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path()).collect()
}

/// The processes whose parent a thread is, in the order in which they became its children.
pub fn children(thread: &Path) -> Vec<Pid> {
    // A thread that has ended meanwhile has left its children to another.
    let list = fs::read_to_string(thread.join("children")).unwrap_or_default();
    list.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
