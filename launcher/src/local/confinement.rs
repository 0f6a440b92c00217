//! How far chaincode and builds can be kept from this machine, and the commands that keep them from it.
//!
//! A root of a process's own keeps it from all files, processes and sockets by path that it is not
//! given, and takes namespaces, which a kernel may forbid to its users. Landlock takes nothing but a
//! kernel that has it, and keeps a process from less. So the one is used where it can be had, the other
//! where it cannot, and both for what only the other does.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{getegid, geteuid};
use tokio::process::Command;
use tracing::warn;

use super::given::Given;
use super::guard::guarded;
use super::machine::machine;
use super::process::Process;
use super::restraint::{Restrained, landlock_version};
use super::rooted::{Ground, Rooted};
use crate::data::DataDirectory;

/// The first version of Landlock's rules that keeps a process from others' abstract sockets, and from
/// signalling others; and the first that does from cutting files off.
const SCOPES: u32 = 6;
const TRUNCATION: u32 = 3;

/// What may be done where no process can have a root of its own.
const WAY_OUT: &str = "allow the launcher's user namespaces of its own (sysctl \
                       user.max_user_namespaces, kernel.unprivileged_userns_clone, \
                       kernel.apparmor_restrict_unprivileged_userns; in a container its seccomp \
                       profile and masked paths), or run chaincode that you do not trust on Kubernetes";

/// What keeps processes from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// A root of their own.
    Root,
    /// Landlock, as far as it is there.
    Landlock,
}

/// What this machine offers.
#[derive(Clone, Debug)]
pub(crate) struct Confinement {
    means: Means,
    /// What of this machine all may read.
    machine: Arc<[Given]>,
    lacking: Vec<String>,
}

/// A process that is to be confined.
#[derive(Clone, Debug)]
pub(super) struct Confined {
    /// An empty directory, in whose place a root may be made.
    pub(super) place: PathBuf,
    /// What it is given beside what all may read.
    pub(super) given: Vec<Given>,
    /// Where it begins.
    pub(super) directory: PathBuf,
    /// The program, by its path, and its arguments.
    pub(super) program: Vec<OsString>,
}

impl Confinement {
    /// Finds out what there is, and says once what there is not.
    pub(crate) async fn find(data: &DataDirectory) -> Self {
        let landlock = landlock_version();
        let tried = try_bare_root(data).await;
        let lacking = lacking(tried.as_ref().err().map(String::as_str), landlock);
        for lack in &lacking {
            warn!("{lack}");
        }
        let means = if tried.is_ok() { Means::Root } else { Means::Landlock };
        Self { means, machine: machine().into(), lacking }
    }

    /// What it does not keep chaincode and builds from, a sentence each; nothing where there is nothing.
    pub(crate) fn lacking(&self) -> &[String] {
        &self.lacking
    }

    /// The guarded command that starts a process. Its environment and the directory in which the guard
    /// begins are the caller's matter.
    pub(super) fn command(&self, confined: &Confined) -> Command {
        let Confined { place, given, directory, program } = confined.clone();
        let more = given.into_iter();
        let more = more.filter(|given| !self.machine.iter().any(|all| given.is_part_of(all)));
        let given = self.machine.iter().cloned().chain(more).collect();
        match self.means {
            Means::Root => guarded_root(&Rooted {
                root: place,
                ground: Ground::Bare,
                user: geteuid().as_raw(),
                group: getegid().as_raw(),
                directory: directory.into(),
                passage: None,
                given,
                program,
            }),
            Means::Landlock => {
                let command = Restrained { given, program }.command();
                let mut guarded = guarded(&command[0]);
                guarded.args(&command[1..]);
                guarded
            }
        }
    }
}

#[cfg(test)]
impl Confinement {
    /// Where nothing is started.
    pub(crate) fn unknown() -> Self {
        Self { means: Means::Landlock, machine: Arc::new([]), lacking: Vec::new() }
    }
}

/// The guarded command that makes a root, and a process in it.
pub(super) fn guarded_root(rooted: &Rooted) -> Command {
    let command = rooted.command();
    let mut guarded = guarded(&command[0]);
    guarded.args(&command[1..]);
    guarded
}

/// Whether such a root can be made here, of which nothing is started; why not.
pub(super) async fn try_root(rooted: &Rooted) -> Result<(), String> {
    let tried = async {
        let mut process = Process::spawn(guarded_root(rooted))?;
        while process.next_line().await.is_some() {}
        process.end().await
    };
    match tried.await {
        Ok(end) if end.status.success() => Ok(()),
        Ok(end) if end.last_lines.is_empty() => Err(end.status.to_string()),
        Ok(end) => Err(end.last_lines.join(" | ")),
        Err(error) => Err(error.to_string()),
    }
}

async fn try_bare_root(data: &DataDirectory) -> Result<(), String> {
    let files = data.temporary("root").map_err(|error| error.to_string())?;
    let rooted = Rooted {
        root: files.path().to_owned(),
        ground: Ground::Bare,
        user: geteuid().as_raw(),
        group: getegid().as_raw(),
        directory: "/".into(),
        passage: None,
        given: machine(),
        program: Vec::new(),
    };
    try_root(&rooted).await
}

/// What is not kept from chaincode and builds where no root can be made for this reason, if there is
/// one, by a kernel with this version of Landlock.
fn lacking(no_root: Option<&str>, landlock: Option<u32>) -> Vec<String> {
    let version = landlock.unwrap_or(0);
    let Some(reason) = no_root else {
        let sockets = "chaincode and builds can reach this machine's abstract sockets: that takes \
                       Landlock's rules of version 6 (Linux 6.12), and the kernel";
        return match landlock {
            None => vec![format!(
                "{sockets} has none (CONFIG_SECURITY_LANDLOCK, and `landlock` in lsm=)"
            )],
            Some(version) if version < SCOPES => vec![format!("{sockets} has version {version}")],
            Some(_) => Vec::new(),
        };
    };
    let no_root = format!("no process can have a root of its own here: {reason}");
    if landlock.is_none() {
        return vec![format!(
            "nothing keeps chaincode and builds from the files and processes of the launcher's user: \
             the kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, and `landlock` in lsm=), and \
             {no_root}; {WAY_OUT}"
        )];
    }
    let mut open = vec![
        "sockets that lie in directories, the launcher's own among them",
        "the modes and owners of its user's files",
    ];
    if version < TRUNCATION {
        open.push("the length of its user's files");
    }
    if version < SCOPES {
        open.extend(["signals to the launcher and its other processes", "abstract sockets"]);
    }
    vec![format!(
        "Landlock (version {version} of its rules) alone confines chaincode and builds, which does not \
         keep them from {}: {no_root}; {WAY_OUT}",
        open.join(", ")
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_said_with_its_reason_and_the_way_out() {
        assert!(lacking(None, Some(6)).is_empty() && lacking(None, Some(7)).is_empty());
        for (no_root, landlock, parts) in [
            (None, Some(2), &["abstract sockets", "version 6", "has version 2"][..]),
            (None, None, &["abstract sockets", "CONFIG_SECURITY_LANDLOCK"]),
            (
                Some("not allowed"),
                Some(2),
                &[
                    "version 2",
                    "the length",
                    "signals to",
                    "not allowed",
                    "user.max_user_namespaces",
                ],
            ),
            (Some("not allowed"), Some(7), &["the launcher's own among them", "not allowed"]),
            (Some("not allowed"), None, &["nothing keeps", "on Kubernetes"]),
        ] {
            let told = lacking(no_root, landlock);
            let [told] = &told[..] else { panic!("{told:?}") };
            assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        }
        assert!(!lacking(Some("not allowed"), Some(7))[0].contains("signals"));
    }
}
