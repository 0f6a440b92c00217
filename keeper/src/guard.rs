//! A program of which nothing is left when it ends, or the launcher does, however either ends.
//!
//! A guard starts the program, and stays as its parent; `ward.rs` has what follows. Guard and
//! launcher share a socket, the guard's standard input. What the launcher may write there is
//! [`TERMINATE`]; at its end, which is also the launcher's own end, everything is killed.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{env, fs, thread};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::program::Program;
use crate::ward::{Ward, adopt, lock, outlive};

/// That the program is asked to end: what the launcher writes to its guard.
pub const TERMINATE: [u8; 1] = *b"t";

/// What a guard answers when the program has ended: its status as wait(2) gives it.
pub type Status = [u8; size_of::<i32>()];

/// The first argument of what becomes the program of a guard, whose process ID follows.
pub(crate) const BECOME: &str = "guarded";

/// Where the kernel lists a thread's children.
const CHILDREN: &str = "/proc/thread-self/children";

/// Guards a program, and returns when nothing is left of it.
pub(crate) fn guard(program: &Program) -> io::Result<()> {
    adopt()?;
    fs::read(CHILDREN).map_err(|error| {
        let reason = "the kernel does not tell a process's children (CONFIG_PROC_CHILDREN)";
        io::Error::new(error.kind(), format!("{reason}: {CHILDREN}: {error}"))
    })?;
    let mut launcher = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let wishes = launcher.try_clone()?;
    let program = Command::new("/proc/self/exe")
        // Who ends all launchers by name does not mean to end the guards before.
        .arg0("selvedge-guard")
        .process_group(0)
        .args([BECOME, &std::process::id().to_string()])
        .args(program.words())
        .stdin(Stdio::null())
        .spawn()?;
    // Where it runs is the chaincode's matter from here on.
    env::set_current_dir("/")?;
    let ward = Ward::new(&program);
    let heeded = Arc::clone(&ward);
    thread::spawn(move || heed(wishes, &heeded));
    if let Some(status) = outlive(&ward)? {
        // A launcher that is gone wants no answer.
        let _ = launcher.write_all(&status.into_raw().to_ne_bytes());
    }
    Ok(())
}

/// Has this process, which a guard has started, end should its guard be killed.
pub fn depend_on(guard: &OsStr) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The guard may have ended before the line above.
    if getppid().is_none_or(|parent| *guard != *OsString::from(parent.to_string())) {
        return Err(io::Error::other("the guard has ended"));
    }
    Ok(())
}

/// Becomes the program, which ends should its guard be killed; returns only why that failed.
pub(crate) fn become_program(guard: &OsStr, program: &Program) -> io::Error {
    if let Err(error) = depend_on(guard) {
        return error;
    }
    let error = Command::new(&program.name).args(&program.arguments).exec();
    io::Error::new(error.kind(), format!("cannot start {}: {error}", program.name.display()))
}

/// Does what the launcher wishes, until it wishes nothing more.
fn heed(mut launcher: UnixStream, ward: &Mutex<Ward>) {
    let mut wish = TERMINATE;
    loop {
        match launcher.read(&mut wish) {
            Ok(1..) => lock(ward).signal(Signal::TERM),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    lock(ward).kill();
}
