//! What a process uses, as the kernel counts it: a figure that another process's
//! work disturbs far less than a latency.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// A process by its number.
pub(crate) struct Process {
    directory: PathBuf,
}

/// What each thread of a process has used up to a moment, by its number.
pub(crate) struct Usage(HashMap<OsString, Used>);

/// What was used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Nanoseconds on a CPU, all threads together.
    pub(crate) cpu_ns: u64,
    /// How often a thread went to sleep, to be woken again.
    pub(crate) sleeps: u64,
}

impl Process {
    pub(crate) fn new(id: u32) -> Self {
        Self { directory: PathBuf::from(format!("/proc/{id}")) }
    }

    /// The process that was started as this package's chaincode.
    pub(crate) fn of_chaincode(package_id: &str) -> Option<Self> {
        let wanted = format!("CORE_CHAINCODE_ID_NAME={package_id}");
        let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
        processes.map(|directory| Self { directory }).find(|process| {
            let environment = fs::read(process.directory.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes())
                && !process.is_guard()
        })
    }

    /// Whether it only watches over a chaincode, with the environment that it started that with.
    fn is_guard(&self) -> bool {
        fs::read_link(self.executable()).is_ok_and(|program| program.ends_with("selvedge-launcher"))
    }

    /// What signals are sent to.
    pub(crate) fn handle(&self) -> e2e::Process {
        e2e::Process::with_pid(&self.directory.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Whether it has not come to its end, as its parent knows it.
    pub(crate) fn exists(&self) -> bool {
        self.directory.exists()
    }

    /// The file that it runs.
    pub(crate) fn executable(&self) -> PathBuf {
        self.directory.join("exe")
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        self.tasks().count()
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Usage {
        let used = |task: PathBuf| {
            // proc(5), schedstat: time on the CPU, time in the run queue, time slices.
            let schedule = fs::read_to_string(task.join("schedstat")).ok()?;
            let status = fs::read_to_string(task.join("status")).ok()?;
            let sleeps = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            let used =
                Used { cpu_ns: first_number(&schedule), sleeps: sleeps.map_or(0, first_number) };
            Some((task.file_name()?.to_owned(), used))
        };
        Usage(self.tasks().filter_map(used).collect())
    }

    fn tasks(&self) -> impl Iterator<Item = PathBuf> {
        let tasks = fs::read_dir(self.directory.join("task"));
        tasks.into_iter().flatten().flatten().map(|entry| entry.path())
    }
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl Usage {
    /// What the threads that are still there have used since.
    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let mut sum = Used::default();
        for (thread, now) in &self.0 {
            let before = earlier.0.get(thread).copied().unwrap_or_default();
            // The kernel gives a number again, in time.
            sum.cpu_ns += now.cpu_ns.saturating_sub(before.cpu_ns);
            sum.sleeps += now.sleeps.saturating_sub(before.sleeps);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted() {
        let own = Process::new(std::process::id());
        let before = own.usage();
        let mut sum = 0u64;
        while own.usage().since(&before).cpu_ns < 1_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(own.threads() >= 1);
    }
}
