//! What a process gives up for good, and whatever it starts with it, before it becomes something that
//! nobody vouches for.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::thread;

use landlock::{
    ABI, Access, AccessFs, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::set_no_new_privs;

use super::given::{Given, read_given, said_given};
use crate::bounds::most_tasks;
use crate::this_program::THIS;

/// The newest rules that this was written for. Of those a kernel enforces what it knows.
const NEWEST: ABI = ABI::V9;

/// The first argument of what gives up all but what it is given, by Landlock.
const RESTRAINED: &str = "restrained";

/// How one ends that could not be started.
const FAILED: u8 = 125;

/// What a process finds beside what it is given where it has this machine's own root: devices, and what
/// the kernel tells of the machine and of processes. What it tells of others than its own is names and
/// numbers: the rest is for those who may trace them (`proc(5)`, `ptrace(2)`).
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];
const TOLD: [&str; 2] = ["/proc", "/sys"];

/// Never has more rights than now, whatever it starts.
pub(super) fn never_gain() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Leaves nothing of its memory on the disk when it crashes: there are keys in it.
pub(super) fn limit() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// How many processes and threads the kernel lets there be: more than a build may have, of which the
/// launcher says so when it ends it.
pub(super) fn most_processes() -> u64 {
    2 * most_tasks()
}

/// Has no more processes and threads than that. Of use only where others of the same user are not
/// counted: in a namespace for users of its own.
pub(super) fn limit_processes() -> io::Result<()> {
    let most = most_processes();
    let allowed = getrlimit(Resource::Nproc).maximum;
    let most = Some(allowed.map_or(most, |allowed| allowed.min(most)));
    Ok(setrlimit(Resource::Nproc, Rlimit { current: most, maximum: most })?)
}

/// Signals nobody but what it has started, and connects to no abstract socket of others.
pub(super) fn keep_among_itself() -> io::Result<()> {
    let among = || -> Result<RestrictionStatus, RulesetError> {
        Ruleset::default().scope(Scope::from_all(NEWEST))?.create()?.restrict_self()
    };
    among().map(drop).map_err(io::Error::other)
}

/// Reads and runs what it is given, writes what it may, and has nothing else of this machine's files.
fn keep_to(given: &[Given]) -> Result<RestrictionStatus, RulesetError> {
    let (read, all) = (AccessFs::from_read(NEWEST), AccessFs::from_all(NEWEST));
    let of = |writable: bool| {
        let those = given.iter().filter(move |given| given.writable == writable);
        those.map(|given| given.from.clone())
    };
    let devices = AccessFs::from_file(NEWEST) & !AccessFs::Execute;
    Ruleset::default()
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(of(false), read))?
        .add_rules(path_beneath_rules(of(true), all))?
        .add_rules(path_beneath_rules(TOLD, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(DEVICES, devices))?
        .restrict_self()
}

/// What this kernel has of Landlock: the version of its rules, if it has any.
pub(super) fn landlock_version() -> Option<u32> {
    let asked = thread::spawn(|| {
        let none = || -> Result<RestrictionStatus, RulesetError> {
            // A thread of its own, which ends with what it has given up.
            Ruleset::default().handle_access(AccessFs::Execute)?.create()?.restrict_self()
        };
        none().ok().map(|status| status.landlock)
    });
    match asked.join().ok().flatten()? {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            Some(kernel_abi.and_then(|abi| abi.try_into().ok()).unwrap_or(effective_abi as u32))
        }
        _ => None,
    }
}

/// To become a program that has this machine's root, and nothing of it but what it is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restrained {
    pub(super) given: Vec<Given>,
    pub(super) program: Vec<OsString>,
}

impl Restrained {
    /// The command that does it: this very program and its arguments.
    pub(super) fn command(&self) -> Vec<OsString> {
        let words = [THIS, RESTRAINED].map(OsString::from);
        words.into_iter().chain(said_given(&self.given)).chain(self.program.clone()).collect()
    }

    /// What the command line orders; none for a launcher.
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        if arguments.nth(1)? != RESTRAINED {
            return None;
        }
        let given = read_given(&mut arguments)?;
        Some(Self { given, program: arguments.collect() })
    }

    /// Does it.
    pub(crate) fn obey(self) -> ExitCode {
        let error = self.become_program();
        // Nobody else reads it but people.
        eprintln!("cannot start it: {error}");
        ExitCode::from(FAILED)
    }

    /// Returns only why that failed.
    fn become_program(self) -> io::Error {
        let restrained = never_gain().and_then(|()| limit()).and_then(|()| {
            // A kernel that knows nothing of it does nothing, as was told when the launcher began.
            keep_to(&self.given).map(drop).map_err(io::Error::other)
        });
        if let Err(error) = restrained {
            return error;
        }
        let mut words = self.program.into_iter();
        let name = words.next().unwrap_or_default();
        let error = Command::new(&name).args(words).exec();
        io::Error::new(error.kind(), format!("{}: {error}", name.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ordered_is_what_is_understood() {
        let restrained = Restrained {
            given: vec![Given::read_only("/usr"), Given::writable("/data/own")],
            program: vec!["sh".into(), "-c".into(), "true".into()],
        };
        assert_eq!(Restrained::read(restrained.command().into_iter()), Some(restrained));
        let launcher = ["selvedge-launcher", "--log"].map(OsString::from);
        assert_eq!(Restrained::read(launcher.into_iter()), None);
    }
}
