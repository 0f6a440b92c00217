//! Processes of the cluster's, as this machine sees them.

use std::fs;
use std::path::Path;

use cluster::{Cluster, Node};
use rustix::process::{Pid, Signal, kill_process};
use testbed::hanging::hang;

use crate::peer::PeerPod;

/// A process: its command line, its environment, and what the kernel says of it.
pub struct Process {
    line: String,
    environment: String,
    status: String,
}

impl Process {
    fn read(dir: &Path) -> Option<Self> {
        let read =
            |name| Some(String::from_utf8_lossy(&fs::read(dir.join(name)).ok()?).into_owned());
        let (line, environment) = (read("cmdline")?, read("environ")?);
        Some(Self { line, environment, status: read("status")? })
    }

    /// Its program and arguments.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.line.split('\0')
    }

    /// Whether it is the launcher in a peer's pod.
    pub fn is_launcher_of(&self, peer: &PeerPod) -> bool {
        self.words().next() == Some("/usr/local/bin/selvedge-launcher")
            && self.has("SELVEDGE_POD_NAMESPACE", peer.namespace().name())
            && self.has("SELVEDGE_POD_NAME", peer.pod())
    }

    /// Whether it runs that program in a pod.
    fn is_in(&self, pod: &str, program: &str) -> bool {
        self.words().next() == Some(program) && self.has("HOSTNAME", pod)
    }

    /// Its ID where it is itself, which is the innermost of all in which it has one
    /// (`proc_pid_status(5)`).
    fn own_id(&self) -> Option<&str> {
        let mut lines = self.status.lines();
        lines.find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().last()
    }

    fn has(&self, name: &str, value: &str) -> bool {
        let is_it = |pair: &str| pair.split_once('=') == Some((name, value));
        self.environment.split('\0').any(is_it)
    }
}

/// The processes that are wanted.
///
/// # Panics
///
/// When `/proc` cannot be read.
pub fn all(is_it: impl Fn(&Process) -> bool) -> Vec<Pid> {
    let found = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let dir = entry.ok()?.path();
        Process::read(&dir).filter(&is_it)?;
        Pid::from_raw(dir.file_name()?.to_str()?.parse().ok()?)
    });
    found.collect()
}

/// The process that is wanted, which must be there.
///
/// # Panics
///
/// When it is not there.
pub fn find(what: &str, is_it: impl Fn(&Process) -> bool) -> Pid {
    let found = all(is_it).first().copied();
    found.unwrap_or_else(|| panic!("{what} does not run on this machine"))
}

/// The launcher in a peer's pod.
pub fn launcher_of(peer: &PeerPod) -> Pid {
    find("the launcher", |process| process.is_launcher_of(peer))
}

/// The peer in its pod.
pub fn peer_in(peer: &PeerPod) -> Pid {
    find("the peer", |process| {
        process.words().take(3).eq(["peer", "node", "start"])
            && process.has("HOSTNAME", peer.pod())
            && process.has("CORE_PEER_ADDRESS", &peer.address().to_string())
    })
}

/// How the images of Selvedge's own builds start.
const CHAINCODE: &str = "/usr/local/bin/chaincode";

/// How a keeper starts.
const KEEPER: &str = "/selvedge/keeper";

/// The chaincode in a pod.
pub fn chaincode_in(pod: &str) -> Pid {
    find("the chaincode", |process| process.is_in(pod, CHAINCODE))
}

/// All processes of the chaincode in a pod.
pub fn chaincodes_in(pod: &str) -> Vec<Pid> {
    all(|process| process.is_in(pod, CHAINCODE))
}

/// The process in a pod of one container that knows itself by that ID, which is the first word of what
/// it says of itself; none when it has ended.
///
/// # Panics
///
/// When there are several.
pub fn known_in(pod: &str, said: &str) -> Option<Pid> {
    let id = said.split_whitespace().next()?;
    let known = all(|process| process.own_id() == Some(id) && process.has("HOSTNAME", pod));
    assert!(known.len() < 2, "several processes of {pod} are {id} to themselves: {known:?}");
    known.first().copied()
}

/// The processes of a chaincode, in whatever pods: those that keepers have started.
pub fn chaincodes_of(package_id: &str) -> Vec<Pid> {
    let keepers = all(|process| {
        process.words().next() == Some(KEEPER) && process.has("CORE_CHAINCODE_ID_NAME", package_id)
    });
    // One that has ended meanwhile has started none.
    let children = |keeper| fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"));
    let children: String = keepers.into_iter().filter_map(|keeper| children(keeper).ok()).collect();
    children.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

/// The first process of the chaincode's container in a pod.
pub fn keeper_in(pod: &str) -> Pid {
    find("the keeper", |process| process.is_in(pod, KEEPER))
}

/// A process that is there, and when it began: no other one has both.
///
/// # Panics
///
/// When the kernel does not say when it began.
pub fn once(process: Pid) -> Option<(Pid, u64)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The 22nd field (`proc_pid_stat(5)`); the second one, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    Some((process, fields.split_whitespace().nth(19).unwrap().parse().unwrap()))
}

/// What a process holds in memory, in KiB (`proc_pid_status(5)`).
///
/// # Panics
///
/// When it is not there.
pub fn resident(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    resident.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

/// The first process of a build's container.
pub fn build_in(pod: &str) -> Pid {
    find("the build", |process| {
        process.words().nth(1) == Some("build-job") && process.has("HOSTNAME", pod)
    })
}

/// A process that hangs. It goes on when this is dropped.
pub struct Hanging(Pid);

impl Hanging {
    /// Has it hang from now on.
    ///
    /// # Panics
    ///
    /// When it is not there.
    pub fn begin(process: Pid) -> Self {
        hang(process).expect("the process is there");
        Self(process)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Ended with its cluster is as good.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// The cluster's API server.
pub fn api_server_of(cluster: &Cluster) -> Pid {
    server("the API server", "kube-apiserver", &[&cluster.dir().to_string_lossy()])
}

/// The cluster's registry.
pub fn registry_of(cluster: &Cluster) -> Pid {
    server("the registry", "docker-registry", &[&cluster.dir().to_string_lossy(), "/registry.json"])
}

/// The node's kubelet.
pub fn kubelet_of(cluster: &Cluster, node: &Node) -> Pid {
    let name = format!("--hostname-override={}", node.name());
    server("the kubelet", "kubelet", &[&cluster.dir().to_string_lossy(), &name])
}

/// A program, of whose command line all these are parts.
fn server(what: &str, program: &str, parts: &[&str]) -> Pid {
    find(what, |process| {
        let name = process.words().next().and_then(|path| path.rsplit('/').next());
        name == Some(program) && parts.iter().all(|part| process.line.contains(part))
    })
}
