//! Programs of which nothing is left when they end, or the launcher does, however either ends: each has
//! a keeper as its parent, which is this very program with another order (`selvedge_keeper::guard`).

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process;

use selvedge_keeper::order::GUARD;
use tokio::process::Command;

use crate::this_program::THIS;

/// The command that runs `program` under guard, in a process group of its own.
pub(crate) fn guarded(program: &OsStr) -> Command {
    let mut this = process::Command::new(THIS);
    // Who ends all launchers by name does not mean to end the guards before.
    this.arg0("selvedge-guard").arg(GUARD).arg(program).process_group(0);
    Command::from(this)
}
