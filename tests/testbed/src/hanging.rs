//! A process that hangs: it keeps all that it holds, and does nothing.

use std::time::Duration;
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::wait_until;

/// More than a busy machine takes to stop a process.
const STOP: Duration = Duration::from_secs(10);

/// Has a process hang (SIGSTOP): none of its threads does anything any more when this returns.
///
/// The signal is delivered to one of the threads, which stops the others when it is run next: on a
/// busy machine these may do a good deal until then, such as answer a call.
///
/// # Errors
///
/// When the process is not there, may not be signalled or does not stop.
pub fn hang(process: Pid) -> io::Result<()> {
    kill_process(process, Signal::STOP)?;
    if wait_until(STOP, || hangs(process)) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("process {process} does not stop")))
}

fn hangs(process: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    // A thread that has just ended has nothing, and a process that is gone no threads.
    let stats = threads.filter_map(|thread| fs::read(thread.path().join("stat")).ok());
    let stats: Vec<Vec<u8>> = stats.filter(|stat| !stat.is_empty()).collect();
    !stats.is_empty() && stats.iter().all(|stat| is_stopped(&String::from_utf8_lossy(stat)))
}

/// Whether a thread that says this of itself is stopped. The second field is a name in parentheses,
/// which may hold anything (`proc_pid_stat(5)`).
fn is_stopped(stat: &str) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, fields)| fields.starts_with(" T"))
}
