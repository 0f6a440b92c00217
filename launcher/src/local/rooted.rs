//! A process with a root of its own, which finds of this machine what it is given there and nothing
//! else.
//!
//! Two processes of this very program make it one. The first ([`ENTER`]) begins namespaces for users,
//! mounts and processes, in which it may do what takes root elsewhere (`user_namespaces(7)`), and
//! stays as the parent of the second ([`INSIDE`]), which is the first one in them (`rooted/inside.rs`):
//! it makes the root, lets go of all that it may, starts the program, and ends with it. The program sees
//! no process but its own, and when it ends, all that it has started ends with it.
//!
//! One that listens at a port of its own choice has a network of its own besides, with one way into it
//! (`passage.rs`).

mod inside;
mod mounts;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::iter;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use rustix::process::{
    Signal, getegid, geteuid, getpgid, getpid, getppid, kill_process,
    set_parent_process_death_signal, setpgid,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, configure_capability_in_ambient_set,
    set_capabilities,
};

use super::given::{Given, read_given, said_given};
use super::passage::Passage;
use crate::this_program::THIS;

/// The first argument of what begins the namespaces.
const ENTER: &str = "rooted";

/// The first argument of what makes the root in them.
const INSIDE: &str = "rooted-inside";

/// The argument of one that has this machine's network.
const OF_MACHINE: &str = "-";

/// How one ends that could not be made.
const FAILED: u8 = 125;

/// What is left of one that has ended: its status as wait(2) gives it.
type Status = [u8; size_of::<i32>()];

/// Of how many namespaces for users a process may be the first: of none. They would show it more of the
/// kernel than it has a use for.
const DESCENDANTS: (&str, &str) = ("/proc/sys/user/max_user_namespaces", "0");

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rooted {
    /// The directory that becomes the root, or is in its place. The process cannot write there.
    pub(crate) root: PathBuf,
    /// What is there before anything is given.
    pub(crate) ground: Ground,
    /// Who the process takes itself for: the launcher's own user, perhaps by another number.
    pub(crate) user: u32,
    /// Its group, likewise.
    pub(crate) group: u32,
    /// Where it begins.
    pub(crate) directory: OsString,
    /// The way into its own network; without one it has this machine's.
    pub(crate) passage: Option<Passage>,
    /// What it is given in its root.
    pub(crate) given: Vec<Given>,
    /// The program and its arguments; none where only the root is tried.
    pub(crate) program: Vec<OsString>,
}

/// What a root has by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// What the directory has.
    Directory,
    /// Nothing but a place for temporary files.
    Bare,
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
            Self::Inside(rooted) => rooted.inside(),
        };
        made.unwrap_or_else(|error| {
            // Nobody else reads it but people.
            eprintln!("cannot start it in a root of its own: {error}");
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

impl Ground {
    fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Bare => "bare",
        }
    }
}

impl Rooted {
    /// The command that makes it: this very program and its arguments.
    pub(crate) fn command(&self) -> Vec<OsString> {
        iter::once(THIS.into()).chain(self.arguments(ENTER)).collect()
    }

    fn arguments(&self, order: &str) -> Vec<OsString> {
        let Self { root, ground, user, group, directory, passage, given, program } = self;
        let mut arguments: Vec<OsString> = vec![order.into(), root.into(), ground.word().into()];
        arguments.extend([user.to_string().into(), group.to_string().into(), directory.clone()]);
        arguments.push(passage.map_or_else(|| OF_MACHINE.into(), |it| it.to_string().into()));
        arguments.extend(said_given(given));
        arguments.extend(program.iter().cloned());
        arguments
    }

    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let root = arguments.next()?.into();
        let word = arguments.next()?;
        let ground = [Ground::Directory, Ground::Bare].into_iter().find(|it| word == it.word())?;
        let user = arguments.next()?.to_str()?.parse().ok()?;
        let group = arguments.next()?.to_str()?.parse().ok()?;
        let directory = arguments.next()?;
        let network = arguments.next()?;
        let passage = match network.to_str()? {
            OF_MACHINE => None,
            passage => Some(passage.parse().ok()?),
        };
        let given = read_given(&mut arguments)?;
        let program = arguments.collect();
        Some(Self { root, ground, user, group, directory, passage, given, program })
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
            ("gid_map", format!("{} {group} 1", self.group)),
        ] {
            let path = format!("/proc/self/{file}");
            fs::write(&path, map).map_err(so(path))?;
        }
        // A container may forbid that, and forbids the namespaces themselves then.
        let _ = fs::write(DESCENDANTS.0, DESCENDANTS.1);
        if let Some(opened) = opened {
            opened.serve().map_err(so("a network of its own"))?;
        }
        // Last: who has children in another namespace for processes can begin no threads (`clone(2)`).
        unshare(UnshareFlags::NEWPID)?;
        keep_one_capability().map_err(so("the right to mount"))?;
        let (mut told, telling) = io::pipe()?;
        let mut inside = Command::new(THIS)
            .arg0("selvedge-root")
            .args(self.arguments(INSIDE))
            .stdin(telling)
            .spawn()
            .map_err(so("a process in the new namespaces"))?;
        // Who asks the program's group to end means the program, which may take its time.
        let _ = setpgid(None, getpgid(guard).ok());
        let status = inside.wait()?;
        let mut of_program = Status::default();
        // One that could not start it, or was killed, has nothing to tell but that.
        let told = told.read_exact(&mut of_program).ok();
        let told = told.map(|()| ExitStatus::from_raw(i32::from_ne_bytes(of_program)));
        Ok(end_like(told.unwrap_or(status)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ordered_is_what_is_understood() {
        for (passage, ground) in [
            (None, Ground::Bare),
            (Some("127.0.0.1:40123>9999".parse().unwrap()), Ground::Directory),
        ] {
            let rooted = Rooted {
                root: "/data/root".into(),
                ground,
                user: 65532,
                group: 65533,
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
