//! What is mounted in a root of a process's own.

use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive, mount_remount};

use super::so;
use crate::local::given::Given;
use crate::local::restraint::most_processes;

/// The devices that a process may expect (the OCI runtime specification, `config-linux.md`), as far
/// as it has a use for them.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];

/// What is mounted where, as this process sees it (`proc_pid_mountinfo(5)`).
const MOUNTS: &str = "/proc/self/mountinfo";

/// How many processes and threads there can be, of a kernel that has a number for each namespace (6.14),
/// and how many of their numbers are for none.
const MOST: &str = "/proc/sys/kernel/pid_max";
const RESERVED: u64 = 300;

/// Binds something of this machine into the root, with what is mounted in it.
pub(super) fn give(old: &Path, Given { from, to, writable }: &Given) -> io::Result<()> {
    let from = old.join(from.strip_prefix("/").unwrap_or(from));
    let to = Path::new(to);
    make_place(to, from.is_dir())?;
    mount_bind_recursive(&from, to)?;
    if *writable { Ok(()) } else { close(to) }
}

/// A directory or file to bind something over, which may be there already, where nothing can be made.
pub(super) fn make_place(path: &Path, is_directory: bool) -> io::Result<()> {
    if path.metadata().is_ok_and(|there| there.is_dir() == is_directory) {
        return Ok(());
    }
    if is_directory {
        return fs::create_dir_all(path);
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().append(true).create(true).open(path).map(drop)
}

/// Lets nobody write there.
pub(super) fn close(path: &Path) -> io::Result<()> {
    let mut flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    // What this machine forbids, nobody in a namespace can allow.
    if statvfs(path)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        flags |= MountFlags::NOEXEC;
    }
    Ok(mount_remount(path, flags, "")?)
}

/// Lets nobody write to what came along with what may be read only.
pub(super) fn close_below(given: &[Given]) -> io::Result<()> {
    let mounts = fs::read_to_string(MOUNTS).map_err(so(MOUNTS))?;
    for mount in along(&mounts, given) {
        close(&mount).map_err(so(mount.display()))?;
    }
    Ok(())
}

/// What came along with what may be read only, and is nothing that was given itself.
fn along(mounts: &str, given: &[Given]) -> Vec<PathBuf> {
    let came_along = |place: &PathBuf| {
        let above = given.iter().filter(|given| place.starts_with(given.place()));
        let nearest = above.max_by_key(|given| given.place().components().count());
        nearest.is_some_and(|given| !given.writable && given.place() != place)
    };
    mounts.lines().filter_map(place_of).filter(came_along).collect()
}

/// Where a line says that something is mounted: its fifth word, in which what is no part of a word is
/// written in octal.
fn place_of(line: &str) -> Option<PathBuf> {
    let mut word = line.split(' ').nth(4)?.to_owned();
    for (written, meant) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        word = word.replace(written, meant);
    }
    Some(word.into())
}

/// The processes of the namespace, and nothing of the kernel's that could be set.
pub(super) fn processes() -> io::Result<()> {
    let none: Option<&CStr> = None;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let place = Path::new("/proc");
    make_place(place, true)?;
    mount("proc", place, "proc", flags, none)?;
    // Older kernels have one number for the whole machine, and let nobody change it from here.
    let _ = fs::write(MOST, (RESERVED + most_processes()).to_string());
    close(place)
}

/// The devices that chaincode may need, shared memory, and the usual names of open files.
pub(super) fn devices(old: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    make_place(Path::new("/dev"), true)?;
    mount("tmpfs", "/dev", "tmpfs", flags, Some(c"mode=0755,size=64k"))?;
    for name in DEVICES {
        let (from, to) = (old.join("dev").join(name), Path::new("/dev").join(name));
        if from.exists() {
            File::create(&to)?;
            mount_bind(&from, &to)?;
        }
    }
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), Path::new("/dev").join(name))?;
    }
    fs::create_dir("/dev/shm")?;
    let flags = flags | MountFlags::NODEV;
    Ok(mount("tmpfs", "/dev/shm", "tmpfs", flags, Some(c"mode=1777,size=64m"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_in_what_may_be_read_only() {
        let given = [
            Given::read_only("/usr"),
            Given::writable("/usr/local/data"),
            Given::read_only("/usr/local/data/shared"),
            Given::writable("/data"),
        ];
        let line =
            |place: &str| format!("36 35 98:0 /mnt1 {place} rw,noatime - ext4 /dev/root rw\n");
        let places = [
            "/",
            "/usr",
            "/usr/share/a\\040place",
            "/usr/local/data",
            "/usr/local/data/more",
            "/usr/local/data/shared/more",
            "/data/more",
            "/usrlocal",
        ];
        let mounts: String = places.map(line).concat();
        let expected = ["/usr/share/a place", "/usr/local/data/shared/more"].map(PathBuf::from);
        assert_eq!(along(&mounts, &given), expected);
    }
}
