//! What a build takes of the machine while it goes on, and what it may take.
//!
//! Limits of the kernel's would not do: those of a process (setrlimit(2)) are another's again with
//! each fork, or count all that its user has; those of a group of processes are for whoever manages
//! the machine. So the build's processes are looked at, and ended together.

use std::fs;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use bytesize::ByteSize;
use rustix::param::page_size;
use rustix::process::Pid;
use rustix::system::sysinfo;
use selvedge_keeper::process_tree::{children, threads};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

/// How many processes and threads there may be at once, whatever the machine, and how many more
/// for each of its processors, of which a compiler uses all there are. None comes near it, and it is
/// far from what makes a machine stand still.
const TASKS: u64 = 1_000;
const TASKS_PER_PROCESSOR: u64 = 250;

/// How often is looked: what forks without end makes some hundred processes meanwhile.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// Where a container's limit of memory is, if there is one (Linux
/// `Documentation/admin-guide/cgroup-v2.rst`).
const CONTAINER: &str = "/sys/fs/cgroup/memory.max";

/// What a build may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The memory of all its processes together.
    pub(crate) memory: u64,
    /// What it writes to disk, all in all.
    pub(crate) disk: u64,
}

/// That a build was ended since it took too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exceeded {
    #[error("the build was ended: it had more than {0} processes and threads at once")]
    Tasks(u64),
    #[error("the build was ended: it took more than {} of memory (builds.memoryLimit)", ByteSize(*.0))]
    Memory(u64),
    #[error("the build was ended: it wrote more than {} (builds.disk)", ByteSize(*.0))]
    Disk(u64),
}

/// What a process and all that has come of it take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Processes and threads.
    tasks: u64,
    /// Bytes of memory that are theirs alone.
    memory: u64,
    /// Bytes that they have written to disk, and those of them that have ended.
    written: u64,
}

impl Bounds {
    /// Half of what there is: for whoever says nothing.
    pub(crate) fn usual_memory() -> u64 {
        let machine = sysinfo();
        let machine = machine.totalram.saturating_mul(machine.mem_unit.into());
        let container =
            fs::read_to_string(CONTAINER).ok().and_then(|text| text.trim().parse().ok());
        machine.min(container.unwrap_or(u64::MAX)) / 2
    }

    /// Looks at a process and what has come of it until it takes too much; and adds what it has
    /// written since it began to what was `written` before.
    pub(crate) async fn watch(&self, process: Option<Pid>, written: &mut u64) -> Exceeded {
        let Some(process) = process else { return std::future::pending().await };
        let before = *written;
        let mut looks = interval(INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let taken = spawn_blocking(move || Taken::by(process)).await.unwrap_or_default();
            *written = before.saturating_add(taken.written).max(*written);
            if let Some(exceeded) = self.exceeded(&Taken { written: *written, ..taken }) {
                return exceeded;
            }
        }
    }

    fn exceeded(&self, taken: &Taken) -> Option<Exceeded> {
        if let Some(exceeded) = taken.crowd() {
            Some(exceeded)
        } else if taken.memory > self.memory {
            Some(Exceeded::Memory(self.memory))
        } else {
            (taken.written > self.disk).then_some(Exceeded::Disk(self.disk))
        }
    }
}

impl Taken {
    /// What `process` takes, and all that has come of it.
    pub(crate) fn by(process: Pid) -> Self {
        let (mut taken, most) = (Self::default(), most_tasks());
        let mut left = vec![process];
        while let Some(process) = left.pop() {
            let threads = threads(process);
            taken.tasks += threads.len() as u64;
            taken.memory += memory_of(process).unwrap_or_default();
            taken.written += written_by(process).unwrap_or_default();
            // More is not needed to know, and there may be more and more of them.
            if taken.tasks > most {
                break;
            }
            left.extend(threads.iter().flat_map(|thread| children(thread)));
        }
        taken
    }

    /// That it has too many processes and threads, if it has.
    pub(crate) fn crowd(self) -> Option<Exceeded> {
        let most = most_tasks();
        (self.tasks > most).then_some(Exceeded::Tasks(most))
    }
}

/// How many processes and threads a build, or a chaincode, may have at once.
pub(crate) fn most_tasks() -> u64 {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    TASKS + TASKS_PER_PROCESSOR * processors as u64
}

/// The memory that no other process shares (`/proc/PID/statm`: what is resident but for what is
/// shared, in pages).
fn memory_of(process: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let mut pages = text.split_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared) * page_size() as u64)
}

/// What the process has caused to be written to disk, and those of its children that it has taken
/// notice of as ended (Linux `kernel/exit.c`, `wait_task_zombie`); what was removed before it came
/// there is none of it.
fn written_by(process: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/io")).ok()?;
    let of = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    Some(of("write_bytes:")?.saturating_sub(of("cancelled_write_bytes:").unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::Instant;

    use super::*;

    const PLENTY: Bounds = Bounds { memory: u64::MAX, disk: u64::MAX };

    struct Shell(Child);

    impl Shell {
        fn run(script: &str) -> Self {
            Self(Command::new("sh").args(["-c", script]).spawn().unwrap())
        }

        fn id(&self) -> Pid {
            Pid::from_child(&self.0)
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            for thread in threads(self.id()) {
                for child in children(&thread) {
                    let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
                }
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn what_a_process_and_its_children_take() {
        let shell = Shell::run("sleep 600 & sleep 600 & wait");
        let began = Instant::now();
        let mut taken = Taken::by(shell.id());
        while taken.tasks < 3 && began.elapsed() < Duration::from_mins(1) {
            taken = Taken::by(shell.id());
        }
        assert_eq!(taken.tasks, 3);
        assert!(taken.memory > 0, "{taken:?}");
    }

    #[test]
    fn each_bound() {
        let most = most_tasks();
        let taken = Taken { tasks: most, memory: 5, written: 7 };
        let bounds = Bounds { memory: 5, disk: 7 };
        assert_eq!(bounds.exceeded(&taken), None);
        for (bounds, taken, exceeded) in [
            (PLENTY, Taken { tasks: most + 1, ..taken }, Exceeded::Tasks(most)),
            (Bounds { memory: 4, ..bounds }, taken, Exceeded::Memory(4)),
            (Bounds { disk: 6, ..bounds }, taken, Exceeded::Disk(6)),
        ] {
            assert_eq!(bounds.exceeded(&taken), Some(exceeded));
        }
        let told = Exceeded::Memory(2 << 30).to_string();
        assert!(told.contains("more than 2.0 GiB of memory (builds.memoryLimit)"), "{told}");
    }

    #[test]
    fn there_is_some_memory() {
        assert!(Bounds::usual_memory() > 1 << 20);
    }

    #[tokio::test]
    async fn who_takes_little_is_watched_on() {
        let shell = Shell::run("exec sleep 600");
        let (mut written, little) = (0, Duration::from_millis(10));
        let watch = PLENTY.watch(Some(shell.id()), &mut written);
        assert!(tokio::time::timeout(little, watch).await.is_err());
        let none = Bounds { memory: 0, disk: u64::MAX };
        assert_eq!(none.watch(Some(shell.id()), &mut written).await, Exceeded::Memory(0));
    }
}
