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
    threads.map(|thread| fs::read(thread.path().join("stat"))).all(|stat| {
        // A thread that has just ended has nothing. The second field is a name in parentheses,
        // which may hold anything (`proc_pid_stat(5)`).
        let stat = String::from_utf8_lossy(&stat.unwrap_or_default()).into_owned();
        stat.rsplit_once(')').is_none_or(|(_, fields)| fields.starts_with(" T"))
    })
}
