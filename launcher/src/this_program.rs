//! Where the launcher's own program is, which is the parent of other programs, too.

/// This very file, even if another release has been put in its place (`proc_pid_exe(5)`).
pub(crate) const THIS: &str = "/proc/self/exe";
