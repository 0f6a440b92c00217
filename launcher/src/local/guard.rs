//! A program of which nothing is left when it ends, or the launcher does, however either ends.
//!
//! The launcher starts itself with the hidden command `guard`, which starts the program and stays
//! as its parent. Whatever the program leaves behind, in whatever group or session, becomes the
//! guard's child (`PR_SET_CHILD_SUBREAPER` of prctl(2)), and the guard ends it. It signals only
//! whom nobody has taken notice of as ended: until then their numbers are nobody else's.
//!
//! What forks without end is quicker than whoever kills one process after the other. Therefore the
//! program's group is killed as a whole, which no fork escapes, and of what has left the group each
//! process before those that it has forked: who is being killed forks no more.
//!
//! Guard and launcher share a socket, the guard's standard input. What the launcher may write there
//! is [`TERMINATE`]; at its end, which is also the launcher's own end, everything is killed.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, fs, thread};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, getppid, kill_process,
    kill_process_group, set_child_subreaper, set_parent_process_death_signal, wait, waitid,
};

use crate::process_tree::{children, threads};

/// What a process of this very program is there for, other than to be a launcher.
///
/// Read by hand: a guard lives as long as its program, and the parser of the launcher's settings
/// would take most of its memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// To guard a program.
    Guard {
        /// The program and its arguments.
        program: Vec<OsString>,
    },
    /// To become a program that a guard has.
    Become {
        /// The guard's process ID.
        guard: OsString,
        /// The program and its arguments.
        program: Vec<OsString>,
    },
}

/// The first argument of a guard.
const GUARD: &str = "guard";

/// The first argument of what becomes its program; the second one is the guard's process ID.
const GUARDED: &str = "guarded";

/// That the program is asked to end: what the launcher writes to its guard.
pub(super) const TERMINATE: [u8; 1] = *b"t";

/// What a guard answers when the program has ended: its status as wait(2) gives it.
pub(super) type Status = [u8; size_of::<i32>()];

/// The command that runs `program` under guard, in a process group of its own.
pub(crate) fn guarded(program: &OsStr) -> tokio::process::Command {
    let mut command = tokio::process::Command::from(this_program(GUARD));
    command.arg(program);
    command
}

/// This very file, even if another release has been put in its place, with a hidden command.
fn this_program(command: &str) -> Command {
    let mut this = Command::new("/proc/self/exe");
    // Who ends all launchers by name does not mean to end the guards before.
    this.arg0("selvedge-guard").arg(command).process_group(0);
    this
}

/// Where the kernel lists a thread's children.
const CHILDREN: &str = "/proc/thread-self/children";

/// What is guarded.
struct Ward {
    /// The program's process.
    program: Pid,
    /// How the program ended, once it has.
    status: Option<i32>,
    /// Nothing more is to run.
    is_over: bool,
}

impl Order {
    /// What the command line orders; none for a launcher.
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let order = arguments.nth(1)?;
        if order == GUARD {
            Some(Self::Guard { program: arguments.collect() })
        } else if order == GUARDED {
            let guard = arguments.next()?;
            Some(Self::Become { guard, program: arguments.collect() })
        } else {
            None
        }
    }

    /// Does it. Who guards returns when nothing is left of the program; who becomes one, only why
    /// that failed.
    pub(crate) fn obey(self) -> io::Result<()> {
        match self {
            Self::Guard { program } => run(program),
            Self::Become { guard, program } => Err(become_program(&guard, program)),
        }
    }
}

fn run(program: Vec<OsString>) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    fs::read(CHILDREN).map_err(|error| {
        let reason = "the kernel does not tell a process's children (CONFIG_PROC_CHILDREN)";
        io::Error::new(error.kind(), format!("{reason}: {CHILDREN}: {error}"))
    })?;
    let mut launcher = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let wishes = launcher.try_clone()?;
    let program = this_program(GUARDED)
        .arg(std::process::id().to_string())
        .args(program)
        .stdin(Stdio::null())
        .spawn()?;
    // Where it runs is the chaincode's matter from here on.
    env::set_current_dir("/")?;
    let ward = Ward { program: Pid::from_child(&program), status: None, is_over: false };
    let ward = Arc::new(Mutex::new(ward));
    let heeded = Arc::clone(&ward);
    thread::spawn(move || heed(wishes, &heeded));
    if let Some(status) = outlive(&ward)? {
        // A launcher that is gone wants no answer.
        let _ = launcher.write_all(&status.to_ne_bytes());
    }
    Ok(())
}

/// Becomes the program, which ends should its guard be killed.
fn become_program(guard: &OsStr, program: Vec<OsString>) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The guard may have ended before the line above.
    if getppid().is_none_or(|parent| *guard != *parent.to_string()) {
        return io::Error::other("the guard has ended");
    }
    let mut program = program.into_iter();
    let Some(name) = program.next() else {
        return io::Error::other("no program was named");
    };
    Command::new(name).args(program).exec()
}

/// Does what the launcher wishes, until it wishes nothing more.
fn heed(mut launcher: UnixStream, ward: &Mutex<Ward>) {
    let mut wish = TERMINATE;
    loop {
        match launcher.read(&mut wish) {
            Ok(1..) => lock(ward).terminate(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    lock(ward).kill();
}

/// Returns when there are no children any more; how the program ended.
fn outlive(ward: &Mutex<Ward>) -> io::Result<Option<i32>> {
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

impl Ward {
    /// Asks the program to end, with all that is in its group.
    fn terminate(&self) {
        self.signal_group(Signal::TERM);
    }

    /// Kills whatever is left of the program. Whoever calls it holds the ward: nobody takes notice
    /// of an end meanwhile.
    fn kill(&mut self) {
        self.is_over = true;
        self.signal_group(Signal::KILL);
        for thread in threads(getpid()) {
            // The latest first: they are the ones that fork.
            children(&thread).into_iter().rev().for_each(kill_with_children);
        }
    }

    fn signal_group(&self, signal: Signal) {
        // Until the program's end is taken notice of, its group's number is nobody else's.
        if self.status.is_none() {
            // A group of none has nobody to heed it.
            let _ = kill_process_group(self.program, signal);
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
                    self.status = Some(status.as_raw());
                    self.is_over = true;
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
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

fn lock(ward: &Mutex<Ward>) -> MutexGuard<'_, Ward> {
    ward.lock().unwrap_or_else(PoisonError::into_inner)
}
