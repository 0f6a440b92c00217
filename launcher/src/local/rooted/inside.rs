//! The first process in namespaces of a program's own: it makes the root, and is the program's parent.
//!
//! It stays, since a first process is another one than all others: what it leaves to a signal's usual
//! meaning has none (`pid_namespaces(7)`), and what has lost its parent becomes its child. Nothing is
//! left when it ends.
//!
//! What is bound into the root is bound after the root has become one: until then a link in it could
//! lead anywhere on this machine.

use std::env;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};
use rustix::process::{
    Pid, Signal, WaitOptions, pivot_root, set_parent_process_death_signal, wait,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
};

use super::mounts::{close, close_below, devices, give, make_place, processes};
use super::{Ground, Rooted, failed, so};
use crate::local::restraint::{keep_among_itself, limit, limit_processes, never_gain};

/// What a bare root may hold: places for what is given.
const BARE: &CStr = c"mode=0755,size=1m";

/// What it may hold of temporary files of programs that are not told of another place.
const TEMPORARY: &CStr = c"mode=1777,size=64m";

impl Rooted {
    /// Makes the root, and outlives the program in it.
    pub(super) fn inside(&self) -> io::Result<ExitCode> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let mut telling = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        self.make()?;
        never_gain()?;
        limit()?;
        limit_processes()?;
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets { effective: none, permitted: none, inheritable: none },
        )?;
        clear_ambient_capability_set()?;
        keep_among_itself()?;
        let Some((name, arguments)) = self.program.split_first() else {
            return Ok(ExitCode::SUCCESS);
        };
        let program = Command::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .map_err(so(name.display()))?;
        let status = outlive(Pid::from_child(&program))?;
        // Whoever started it may be gone.
        let _ = telling.write_all(&status.to_ne_bytes());
        Ok(ExitCode::SUCCESS)
    }

    fn make(&self) -> io::Result<()> {
        let old = self.pivot()?;
        if self.ground == Ground::Bare {
            // Before what is given, which may lie below it.
            let place = Path::new("/tmp");
            make_place(place, true)?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            mount("tmpfs", place, "tmpfs", flags, Some(TEMPORARY)).map_err(failed("/tmp"))?;
        }
        for given in &self.given {
            give(&old, given).map_err(so(given.to.display()))?;
        }
        processes().map_err(so("/proc"))?;
        close_below(&self.given)?;
        devices(&old).map_err(so("/dev"))?;
        unmount(&old, UnmountFlags::DETACH).map_err(failed("the old root"))?;
        fs::remove_dir(&old).map_err(so("the old root"))?;
        close(Path::new("/")).map_err(so("the new root"))?;
        env::set_current_dir(&self.directory).map_err(so(self.directory.display()))
    }

    /// Makes the directory the root; where in it the old one is.
    fn pivot(&self) -> io::Result<PathBuf> {
        let root = &self.root;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(failed("the mounts"))?;
        match self.ground {
            Ground::Directory => mount_bind(root, root),
            Ground::Bare => {
                let flags = MountFlags::NOSUID | MountFlags::NODEV;
                mount("tmpfs", root, "tmpfs", flags, Some(BARE))
            }
        }
        .map_err(failed(root.display()))?;
        // Under a name that no link in an image can have in mind.
        let old = tempfile::Builder::new().prefix(".outside-").tempdir_in(root)?.keep();
        pivot_root(root, &old).map_err(failed(root.display()))?;
        env::set_current_dir("/")?;
        Ok(Path::new("/").join(old.file_name().unwrap_or_default()))
    }
}

/// Takes notice of all that end, until the program does; its status as wait(2) gives it.
fn outlive(program: Pid) -> io::Result<i32> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((process, status))) if process == program => return Ok(status.as_raw()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
