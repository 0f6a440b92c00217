//! What a cluster has on the host, found by its name and by its namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};

/// A cluster's traces.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    dir: PathBuf,
    /// Its directory is there.
    pub(crate) directory: bool,
    /// Network interfaces.
    pub(crate) links: BTreeSet<String>,
    /// iptables rules.
    pub(crate) rules: BTreeSet<String>,
    pub(crate) cgroups: BTreeSet<PathBuf>,
    /// By ID and command line.
    pub(crate) processes: BTreeSet<(i32, String)>,
    /// Network namespaces by number. They are held: the kernel would give the number of one that
    /// is gone to the next, which may be another cluster's.
    pub(crate) networks: BTreeMap<u64, Arc<File>>,
}

impl Found {
    /// What the cluster in `dir` has.
    pub(crate) fn of(dir: &Path) -> Self {
        let id = dir.file_name().unwrap().to_string_lossy().into_owned();
        let processes = processes(dir, &id);
        let mut networks: BTreeMap<_, _> =
            processes.iter().filter_map(|(pid, _)| network_of(&pid.to_string())).collect();
        if let Some((host, _)) = network_of("self") {
            networks.remove(&host);
        }
        Self {
            dir: dir.to_owned(),
            directory: dir.exists(),
            links: links(&id),
            rules: rules(&id),
            cgroups: cgroups(&id),
            processes,
            networks,
        }
    }

    /// What of this is there now.
    pub(crate) fn still_there(&self) -> Self {
        let mut now = Self::of(&self.dir);
        // By namespace too: somebody may have forgotten where he came from.
        for process in all_processes() {
            let network = network_of(&process.to_string());
            if network.is_some_and(|(number, _)| self.networks.contains_key(&number)) {
                now.processes.insert((process, command_line(process)));
            }
        }
        now
    }

    pub(crate) fn is_nothing(&self) -> bool {
        !self.directory
            && self.links.is_empty()
            && self.rules.is_empty()
            && self.cgroups.is_empty()
            && self.processes.is_empty()
            && self.networks.is_empty()
    }

    /// Kills shells that would clean up, in an order that gives none of them a chance.
    pub(crate) fn kill_supervisors(&self, dir: &Path, scripts: &[&str]) {
        let shells = self.processes.iter().filter(|(_, line)| {
            line.contains(&*dir.to_string_lossy())
                && scripts.iter().any(|script| line.contains(script))
        });
        let shells: Vec<Pid> = shells.filter_map(|(pid, _)| Pid::from_raw(*pid)).collect();
        for signal in [Signal::STOP, Signal::KILL] {
            for shell in &shells {
                let _ = kill_process(*shell, signal);
            }
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found of {}: {self:#?}", self.dir.display())
    }
}

/// Every mount point that this process sees.
pub(crate) fn mounts() -> BTreeSet<String> {
    fs::read_to_string("/proc/self/mounts").unwrap().lines().map(str::to_owned).collect()
}

fn all_processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn command_line(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned()
}

fn network_of(pid: &str) -> Option<(u64, Arc<File>)> {
    let network = File::open(format!("/proc/{pid}/ns/net")).ok()?;
    Some((network.metadata().ok()?.ino(), Arc::new(network)))
}

/// By command line, by working directory, and by control group (containers).
fn processes(dir: &Path, id: &str) -> BTreeSet<(i32, String)> {
    let own = i32::try_from(std::process::id()).unwrap();
    all_processes()
        .filter(|pid| *pid != own)
        .map(|pid| (pid, command_line(pid)))
        .filter(|(pid, line)| {
            let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
            line.contains(&*dir.to_string_lossy())
                || cgroup.contains(id)
                || cwd.is_ok_and(|cwd| cwd.starts_with(dir))
        })
        .collect()
}

fn links(id: &str) -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(id)).collect()
}

fn rules(id: &str) -> BTreeSet<String> {
    let tables = ["nat", "filter"].into_iter().flat_map(|table| {
        let output = Command::new("iptables").args(["--wait", "-t", table, "-S"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    });
    tables.filter(|rule| rule.contains(id)).collect()
}

fn cgroups(id: &str) -> BTreeSet<PathBuf> {
    let path = format!("*/{id}*");
    let find = ["/sys/fs/cgroup", "-type", "d", "-path", &path];
    let output = Command::new("find").args(find).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect()
}
