//! A process with a root of its own, which finds nothing of this machine there: for chaincode whose
//! image somebody else made.
//!
//! Two processes of this very program make it one. The first ([`ENTER`]) begins namespaces for users,
//! mounts and processes, in which it may do what takes root elsewhere (`user_namespaces(7)`), and
//! stays as the parent of the second ([`INSIDE`]), which is the first one in them: it makes the root,
//! lets go of all that it may, and becomes the program. It sees no process but its own, and when it
//! ends, all that it has started ends with it.
//!
//! One that listens at a port of its own choice has a network of its own besides, with one way into it
//! (`passage.rs`).
//!
//! What is bound into the root is bound after the root has become one: until then a link in it could
//! lead anywhere on this machine.

use std::convert::Infallible;
use std::ffi::{CStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::{env, iter};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change,
    mount_remount, unmount,
};
use rustix::process::{
    Signal, getegid, geteuid, getpgid, getpid, getppid, kill_process, pivot_root,
    set_parent_process_death_signal, setpgid,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities, set_no_new_privs,
};

use super::passage::Passage;

/// The first argument of what begins the namespaces.
const ENTER: &str = "rooted";

/// The first argument of what makes the root in them.
const INSIDE: &str = "rooted-inside";

/// The argument of one that has this machine's network.
const OF_MACHINE: &str = "-";

/// How one ends that could not be made.
const FAILED: u8 = 125;

/// The devices that a process may expect (the OCI runtime specification, `config-linux.md`), as far
/// as it has a use for them.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rooted {
    /// The directory that becomes the root. The process cannot write there.
    pub(crate) root: PathBuf,
    /// Who the process takes itself for: the launcher's own user, by another number.
    pub(crate) user: u32,
    /// Where it begins.
    pub(crate) directory: OsString,
    /// The way into its own network; without one it has this machine's.
    pub(crate) passage: Option<Passage>,
    /// What it is given in its root.
    pub(crate) given: Vec<Given>,
    /// The program and its arguments; none where only the root is tried.
    pub(crate) program: Vec<OsString>,
}

/// A file or directory of this machine that is somewhere in the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// Where it is.
    pub(crate) from: PathBuf,
    /// Where the process finds it.
    pub(crate) to: OsString,
    /// Whether the process may write there.
    pub(crate) writable: bool,
}

/// What a process of this very program is there for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Enter(Rooted),
    Inside(Rooted),
}

impl Order {
    /// What the command line orders; none for a launcher.
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let order = arguments.nth(1)?;
        if order == ENTER {
            Rooted::read(arguments).map(Self::Enter)
        } else if order == INSIDE {
            Rooted::read(arguments).map(Self::Inside)
        } else {
            None
        }
    }

    /// Does it.
    pub(crate) fn obey(self) -> ExitCode {
        let made = match self {
            Self::Enter(rooted) => rooted.enter(),
            Self::Inside(rooted) => rooted.inside().map(|never| match never {}),
        };
        made.unwrap_or_else(|error| {
            // Nobody else reads it but people.
            eprintln!("cannot start the chaincode in a root of its own: {error}");
            ExitCode::from(FAILED)
        })
    }
}

/// Says what failed.
fn so(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The same of what the system calls say.
fn failed<E: Into<io::Error>>(what: impl std::fmt::Display) -> impl FnOnce(E) -> io::Error {
    move |error| so(what)(error.into())
}

impl Rooted {
    /// The command that makes it: this very program and its arguments.
    pub(crate) fn command(&self) -> Vec<OsString> {
        iter::once("/proc/self/exe".into()).chain(self.arguments(ENTER)).collect()
    }

    fn arguments(&self, order: &str) -> Vec<OsString> {
        let Self { root, user, directory, passage, given, program } = self;
        let mut arguments: Vec<OsString> =
            vec![order.into(), root.into(), user.to_string().into(), directory.clone()];
        arguments.push(passage.map_or_else(|| OF_MACHINE.into(), |it| it.to_string().into()));
        arguments.push(given.len().to_string().into());
        for Given { from, to, writable } in given {
            let how = if *writable { "rw" } else { "ro" };
            arguments.extend([from.into(), to.clone(), how.into()]);
        }
        arguments.extend(program.iter().cloned());
        arguments
    }

    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let root = arguments.next()?.into();
        let user = arguments.next()?.to_str()?.parse().ok()?;
        let directory = arguments.next()?;
        let network = arguments.next()?;
        let passage = match network.to_str()? {
            OF_MACHINE => None,
            passage => Some(passage.parse().ok()?),
        };
        let number: usize = arguments.next()?.to_str()?.parse().ok()?;
        let mut given = Vec::new();
        for _ in 0..number {
            let (from, to) = (arguments.next()?.into(), arguments.next()?);
            given.push(Given { from, to, writable: arguments.next()? == "rw" });
        }
        Some(Self { root, user, directory, passage, given, program: arguments.collect() })
    }

    /// Begins the namespaces, and outlives what is in them.
    fn enter(&self) -> io::Result<ExitCode> {
        let guard = getppid();
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        let opened = self.passage.map(Passage::open).transpose().map_err(so("its port"))?;
        let network = if opened.is_some() { UnshareFlags::NEWNET } else { UnshareFlags::empty() };
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWIPC | network)?;
        // Which the new ones take away.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != guard {
            return Err(io::Error::other("the guard has ended"));
        }
        for (file, map) in [
            ("setgroups", "deny".to_owned()),
            ("uid_map", format!("{} {user} 1", self.user)),
            ("gid_map", format!("{} {group} 1", self.user)),
        ] {
            let path = format!("/proc/self/{file}");
            fs::write(&path, map).map_err(so(path))?;
        }
        if let Some(opened) = opened {
            opened.serve().map_err(so("a network of its own"))?;
        }
        // Last: who has children in another namespace for processes can begin no threads (`clone(2)`).
        unshare(UnshareFlags::NEWPID)?;
        keep_one_capability().map_err(so("the right to mount"))?;
        let mut inside = Command::new("/proc/self/exe")
            .arg0("selvedge-root")
            .args(self.arguments(INSIDE))
            .spawn()
            .map_err(so("a process in the new namespaces"))?;
        // Who asks the program's group to end means the program, which may take its time.
        let _ = setpgid(None, getpgid(guard).ok());
        Ok(end_like(inside.wait()?))
    }

    /// Makes the root, and becomes the program in it.
    fn inside(&self) -> io::Result<Infallible> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let old = self.pivot()?;
        for given in &self.given {
            give(&old, given).map_err(so(given.to.display()))?;
        }
        processes().map_err(so("/proc"))?;
        devices(&old).map_err(so("/dev"))?;
        unmount(&old, UnmountFlags::DETACH).map_err(failed("the old root"))?;
        fs::remove_dir(&old).map_err(so("the old root"))?;
        close(Path::new("/")).map_err(so("the new root"))?;
        env::set_current_dir(&self.directory).map_err(so(self.directory.display()))?;
        set_no_new_privs(true)?;
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets { effective: none, permitted: none, inheritable: none },
        )?;
        clear_ambient_capability_set()?;
        let Some((name, arguments)) = self.program.split_first() else {
            std::process::exit(0);
        };
        Err(so(name.display())(Command::new(name).args(arguments).exec()))
    }

    /// Makes the directory the root; where in it the old one is.
    fn pivot(&self) -> io::Result<PathBuf> {
        let root = &self.root;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(failed("the mounts"))?;
        mount_bind(root, root).map_err(failed(root.display()))?;
        // Under a name that no link in an image can have in mind.
        let old = tempfile::Builder::new().prefix(".outside-").tempdir_in(root)?.keep();
        pivot_root(root, &old).map_err(failed(root.display()))?;
        env::set_current_dir("/")?;
        Ok(Path::new("/").join(old.file_name().unwrap_or_default()))
    }
}

/// Begins namespaces.
fn unshare(which: UnshareFlags) -> io::Result<()> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe for the sake of file descriptors, which stay shared here"
    )]
    rustix::thread::unshare(which).map_err(failed("user namespaces are not allowed here"))
}

/// Lets the next program of this process mount, whoever its user is (`capabilities(7)`).
fn keep_one_capability() -> io::Result<()> {
    let all = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::SYS_ADMIN, ..all })?;
    Ok(configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)?)
}

/// Ends as another process has.
fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        let _ = kill_process(getpid(), signal);
    }
    ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(FAILED))
}

/// Binds something of this machine into the root.
fn give(old: &Path, Given { from, to, writable }: &Given) -> io::Result<()> {
    let from = old.join(from.strip_prefix("/").unwrap_or(from));
    let to = Path::new(to);
    make_place(to, from.is_dir())?;
    mount_bind(&from, to)?;
    if *writable { Ok(()) } else { close(to) }
}

/// A directory or file to bind something over.
fn make_place(path: &Path, is_directory: bool) -> io::Result<()> {
    if is_directory {
        return fs::create_dir_all(path);
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().append(true).create(true).open(path).map(drop)
}

/// Lets nobody write there.
fn close(path: &Path) -> io::Result<()> {
    let mut flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    // What this machine forbids, nobody in a namespace can allow.
    if statvfs(path)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        flags |= MountFlags::NOEXEC;
    }
    Ok(mount_remount(path, flags, "")?)
}

/// The processes of the namespace, and nothing of the kernel's that could be set.
fn processes() -> io::Result<()> {
    let none: Option<&CStr> = None;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    make_place(Path::new("/proc"), true)?;
    Ok(mount("proc", "/proc", "proc", flags, none)?)
}

/// The devices that chaincode may need, shared memory, and the usual names of open files.
fn devices(old: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    make_place(Path::new("/dev"), true)?;
    mount("tmpfs", "/dev", "tmpfs", flags, Some(c"mode=0755,size=64k"))?;
    for name in DEVICES {
        let (from, to) = (old.join("dev").join(name), Path::new("/dev").join(name));
        if from.exists() {
            File::create(&to)?;
            mount_bind(&from, &to)?;
        }
    }
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), Path::new("/dev").join(name))?;
    }
    fs::create_dir("/dev/shm")?;
    let flags = flags | MountFlags::NODEV;
    Ok(mount("tmpfs", "/dev/shm", "tmpfs", flags, Some(c"mode=1777,size=64m"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ordered_is_what_is_understood() {
        for passage in [None, Some("127.0.0.1:40123>9999".parse().unwrap())] {
            let rooted = Rooted {
                root: "/data/root".into(),
                user: 65532,
                directory: "/app".into(),
                passage,
                given: vec![
                    Given { from: "/data/hosts".into(), to: "/etc/hosts".into(), writable: false },
                    Given { from: "/data/tmp".into(), to: "/tmp".into(), writable: true },
                ],
                program: vec!["sh".into(), "-c".into(), "true".into()],
            };
            let order = Order::read(rooted.command().into_iter());
            assert_eq!(order, Some(Order::Enter(rooted.clone())));
            let inside = iter::once("x".into()).chain(rooted.arguments(INSIDE));
            assert_eq!(Order::read(inside), Some(Order::Inside(rooted)));
        }
        assert_eq!(Order::read(["selvedge-launcher".into(), "--log".into()].into_iter()), None);
    }
}
