//! What runs on a stage, and what lies about: read from the kernel, not from Selvedge.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use testbed::dist_dir;
use testbed::hanging::hang;

use crate::stage::Stage;

/// A process of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: i32,
}

/// What Selvedge and the peer's use of it have on the machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Chaincode processes.
    pub chaincode: Vec<Process>,
    /// `run` processes.
    pub run: Vec<Process>,
    /// Temporary files and directories of the launcher.
    pub launcher_files: Vec<PathBuf>,
    /// Temporary directories that the peer made for builders.
    pub peer_files: Vec<PathBuf>,
    /// The launcher's socket.
    pub socket: Option<PathBuf>,
}

/// The chaincode processes of the stage's launcher: those that work in its data directory, and are
/// not the launcher's own, as a guard is that has just begun; and those that have an image for their
/// root, whose parents, and the parents of those, are the launcher's, and these do.
pub fn chaincode_processes(stage: &Stage) -> Vec<Process> {
    let data = stage.launcher.dir().join("data");
    let works_there =
        |process: &Process| process.link("cwd").is_some_and(|cwd| cwd.starts_with(&data));
    let is_ours = |process: &Process| {
        process.link("exe").is_some_and(|program| program.ends_with("selvedge-launcher"))
    };
    let is_rooted = |process: &Process| {
        let parent = process.parent().filter(is_ours);
        let outside = parent.and_then(|parent| parent.parent()).filter(is_ours);
        outside.is_some_and(|outside| works_there(&outside))
    };
    let is_chaincode =
        |process: &Process| !is_ours(process) && (works_there(process) || is_rooted(process));
    all().filter(is_chaincode).collect()
}

/// The chaincode processes of one package.
pub fn processes_of(stage: &Stage, package_id: &str) -> Vec<Process> {
    let name = format!("CORE_CHAINCODE_ID_NAME={package_id}\n");
    let all = chaincode_processes(stage).into_iter();
    all.filter(|process| process.environment().contains(&name)).collect()
}

/// The `run` processes of the stage's peer.
pub fn run_processes(stage: &Stage) -> Vec<Process> {
    let program = dist_dir().join("bin/run").into_os_string().into_encoded_bytes();
    let network = stage.network.dir().as_os_str().as_encoded_bytes();
    all()
        .filter(|process| {
            let line = process.read("cmdline");
            line.starts_with(&program) && line.windows(network.len()).any(|part| part == network)
        })
        .collect()
}

fn all() -> impl Iterator<Item = Process> {
    fs::read_dir("/proc")
        .expect("/proc is there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(|pid| Process { pid })
}

impl Process {
    /// The process with that ID.
    ///
    /// # Panics
    ///
    /// When the text is no process ID.
    pub fn with_pid(pid: &str) -> Self {
        Self { pid: pid.parse().unwrap_or_else(|_| panic!("{pid:?} is no process ID")) }
    }

    /// The process that says this of itself: its ID, the namespace in which it has that ID
    /// (`pid:[NUMBER]`), and when it began, in ticks. One that has ended is as good as none, whose ID
    /// is 0.
    ///
    /// # Panics
    ///
    /// When it says something else.
    pub fn known_as(said: &str) -> Self {
        assert_eq!(said.split(' ').count(), 3, "{said:?} tells no process");
        let is_it = |process: &Self| process.said().as_deref() == Some(said);
        all().find(is_it).unwrap_or(Self { pid: 0 })
    }

    /// What it says of itself, as [`Process::known_as`] has it; none when it has ended.
    pub fn said(&self) -> Option<String> {
        let namespace = self.link("ns/pid")?;
        Some(format!("{} {} {}", self.own_id()?, namespace.display(), self.start_time()?))
    }

    /// Its ID.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// SIGKILL.
    ///
    /// # Panics
    ///
    /// When it is gone already.
    pub fn kill(&self) {
        kill_process(self.handle(), Signal::KILL).expect("the process is there");
    }

    /// SIGINT, as from Ctrl-C.
    ///
    /// # Panics
    ///
    /// When it is gone already.
    pub fn interrupt(&self) {
        kill_process(self.handle(), Signal::INT).expect("the process is there");
    }

    /// SIGSTOP: it hangs when this returns.
    ///
    /// # Panics
    ///
    /// When it is gone already.
    pub fn stop(&self) {
        hang(self.handle()).expect("the process is there");
    }

    fn handle(&self) -> Pid {
        Pid::from_raw(self.pid).expect("a process ID")
    }

    /// Its resident memory, in KiB.
    ///
    /// # Panics
    ///
    /// When it is gone.
    pub fn resident_kib(&self) -> u64 {
        let status = String::from_utf8(self.read("status")).expect("text");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// When it was started, in ticks since the machine was (`proc_pid_stat(5)`, field 22): with its
    /// ID no other's, ever.
    ///
    /// # Panics
    ///
    /// When it is gone.
    pub fn started(&self) -> u64 {
        self.start_time().expect("it runs").parse().expect("a number")
    }

    fn start_time(&self) -> Option<String> {
        let stat = String::from_utf8_lossy(&self.read("stat")).into_owned();
        // The second field is a name in parentheses, which may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().nth(19).map(str::to_owned)
    }

    /// Its ID as it knows it itself.
    fn own_id(&self) -> Option<String> {
        self.status("NSpid:")?.split_whitespace().next_back().map(str::to_owned)
    }

    fn parent(&self) -> Option<Self> {
        Some(Self { pid: self.status("PPid:")?.parse().ok()? })
    }

    /// What its status says after a name (`proc_pid_status(5)`).
    fn status(&self, name: &str) -> Option<String> {
        let status = String::from_utf8(self.read("status")).ok()?;
        let said = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(said.trim().to_owned())
    }

    /// Its environment, as it was started.
    pub fn environment(&self) -> String {
        String::from_utf8_lossy(&self.read("environ")).replace('\0', "\n")
    }

    /// What its environment says by that name.
    ///
    /// # Panics
    ///
    /// When it says nothing.
    pub fn variable(&self, name: &str) -> String {
        let environment = self.environment();
        let said = environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        said.unwrap_or_else(|| panic!("{name} is not set: {environment}")).to_owned()
    }

    /// Its working directory: a chaincode's root.
    ///
    /// # Panics
    ///
    /// When it is gone.
    pub fn root(&self) -> PathBuf {
        self.link("cwd").expect("it runs")
    }

    fn link(&self, name: &str) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/{name}", self.pid)).ok()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        // A process that has just ended has nothing.
        fs::read(format!("/proc/{}/{name}", self.pid)).unwrap_or_default()
    }
}

impl Remains {
    /// What there is now.
    pub fn of(stage: &Stage) -> Self {
        let socket = stage.launcher.dir().join("launcher.sock");
        Self {
            chaincode: chaincode_processes(stage),
            run: run_processes(stage),
            launcher_files: entries(&stage.launcher.dir().join("data/tmp"))
                .chain(entries(&stage.launcher.dir().join("tmp")))
                .collect(),
            peer_files: entries(&stage.network.dir().join("tmp")).collect(),
            socket: socket.exists().then_some(socket),
        }
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}
