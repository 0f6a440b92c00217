//! A program's process and all that has come of it, of which nothing is left when the program ends.
//!
//! Whatever the program leaves behind, in whatever group or session, becomes its keeper's child
//! (`PR_SET_CHILD_SUBREAPER` of prctl(2); the first process of a container is that by itself), and
//! the keeper ends it. It signals only whom nobody has taken notice of as ended: until then their
//! numbers are nobody else's.
//!
//! What forks without end is quicker than whoever kills one process after the other. Therefore the
//! program's group is killed as a whole, which no fork escapes, and of what has left the group each
//! process before those that it has forked: who is being killed forks no more.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    set_child_subreaper, wait, waitid,
};

use crate::process_tree::{children, threads};

/// What is looked after.
pub(crate) struct Ward {
    /// The program's process, which leads a group of its own.
    program: Pid,
    /// How the program ended, once it has.
    status: Option<ExitStatus>,
    /// Nothing more is to run.
    is_over: bool,
}

/// Makes this process the parent of whatever its descendants leave behind.
pub(crate) fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

impl Ward {
    /// A program that was started in a process group of its own.
    pub(crate) fn new(program: &Child) -> Arc<Mutex<Self>> {
        let program = Pid::from_child(program);
        Arc::new(Mutex::new(Self { program, status: None, is_over: false }))
    }

    /// Sends a signal to the program, with all that is in its group.
    pub(crate) fn signal(&self, signal: Signal) {
        // Until the program's end is taken notice of, its group's number is nobody else's.
        if self.status.is_none() {
            // A group of none has nobody to heed it.
            let _ = kill_process_group(self.program, signal);
        }
    }

    /// Kills whatever is left of the program. Whoever calls it holds the ward: nobody takes notice
    /// of an end meanwhile.
    pub(crate) fn kill(&mut self) {
        self.is_over = true;
        self.signal(Signal::KILL);
        for thread in threads(getpid()) {
            // The latest first: they are the ones that fork.
            children(&thread).into_iter().rev().for_each(kill_with_children);
        }
    }

    /// Takes notice of all that have ended.
    fn take_ended(&mut self) -> io::Result<()> {
        let unnoticed = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if let Ok(Some(_)) = waitid(WaitId::Pid(self.program), unnoticed) {
            self.kill();
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) if process == self.program => {
                    self.status = Some(ExitStatus::from_raw(status.as_raw()));
                    self.is_over = true;
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Returns when there are no children any more; how the program ended.
pub(crate) fn outlive(ward: &Mutex<Ward>) -> io::Result<Option<ExitStatus>> {
    loop {
        // Not taken yet: who signals it meanwhile hits nobody else.
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(Errno::CHILD) => return Ok(lock(ward).status),
            Err(error) => return Err(error.into()),
        }
        let mut ward = lock(ward);
        ward.take_ended()?;
        if ward.is_over {
            // What they have left are children of ours by now.
            ward.kill();
        }
    }
}

/// Kills a process, and then what it has forked until then: it forks no more.
fn kill_with_children(process: Pid) {
    // One that has ended, and was not taken notice of yet, takes no notice.
    if kill_process(process, Signal::KILL).is_ok() {
        for thread in threads(process) {
            children(&thread).into_iter().rev().for_each(kill_with_children);
        }
    }
}

/// Nobody leaves it half changed.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
