//! A program that ends when the launcher does, however that ends.
//!
//! The launcher starts itself with the hidden command `guard`, which asks the
//! kernel for that and then becomes the program.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::settings::GuardedCommand;

/// The command that runs `program` under guard, in a process group of its own.
pub(crate) fn guarded(program: &OsStr) -> tokio::process::Command {
    // This very file, even if another release has been put in its place.
    let mut command = tokio::process::Command::new("/proc/self/exe");
    command
        .arg("guard")
        .arg("--parent")
        .arg(std::process::id().to_string())
        .arg("--")
        .arg(program)
        .process_group(0);
    command
}

/// Becomes the program; returns only why that failed.
pub(crate) fn become_chaincode(command: GuardedCommand) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The launcher may have ended before the line above.
    if getppid().map(Pid::as_raw_nonzero).map(|id| id.get().cast_unsigned()) != Some(command.parent)
    {
        return io::Error::other("the launcher has ended");
    }
    let mut program = command.program.into_iter();
    let Some(name) = program.next() else {
        return io::Error::other("no program was named");
    };
    Command::new(name).args(program).exec()
}
