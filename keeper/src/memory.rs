//! Whether the kernel killed something for want of memory: it counts that for each cgroup
//! (`Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/memory.rst`).
//!
//! A kubelet has the kernel kill all of a container at once where cgroups are of version 2
//! (`memory.oom.group`), and tells of it itself. Of version 1 the largest process is killed alone.

use std::fs;

/// Where a container finds the count for its own cgroup.
const COUNTS: [&str; 2] =
    ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// What the count is called, in both.
const KILLS: &str = "oom_kill";

/// How often that was; none where nobody says.
pub(crate) fn kills() -> Option<u64> {
    COUNTS.iter().find_map(|file| count(&fs::read_to_string(file).ok()?))
}

fn count(text: &str) -> Option<u64> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.find(|(name, _)| *name == KILLS)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_have_the_count() {
        let second = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(count(second), Some(2));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
