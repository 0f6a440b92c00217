//! Removes what chaincode left, whatever modes it gave and however deep it went.

use std::ffi::{CStr, CString};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Removes a directory with all that is in it, or a file, and nothing that a link points to.
///
/// What cannot be removed stays; the error is about the first of it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => {
            clear(path)?;
            fs::remove_dir(path)
        }
        Ok(_) => fs::remove_file(path),
    }
}

/// Removes all that is in a directory, as [`remove`] does.
pub(crate) fn clear(directory: &Path) -> io::Result<()> {
    let root = open(CWD, directory)?;
    let mut removal = Removal { root, names: 0, failure: None };
    // Each round empties the directories of the one before, whose own directories it moves up.
    loop {
        let (directories, mut progress) = removal.files_of_root()?;
        for name in &directories {
            progress |= removal.directory(name);
        }
        if directories.is_empty() || !progress {
            break;
        }
    }
    removal.failure.map_or(Ok(()), |error| Err(error.into()))
}

/// The removal of what is in one directory.
///
/// Directories in it are emptied one by one, those in them moved up into it before. So no depth
/// takes more than two descriptors, or a path longer than the system bears.
struct Removal {
    root: OwnedFd,
    /// The next name for a directory that is moved up.
    names: u64,
    /// What went wrong first.
    failure: Option<Errno>,
}

impl Removal {
    /// Removes files; the names of the directories, and whether a file was removed.
    fn files_of_root(&mut self) -> io::Result<(Vec<CString>, bool)> {
        self.failure = None;
        let mut directories = Vec::new();
        let mut removed = false;
        for (name, kind) in entries(&self.root)? {
            if kind == FileType::Directory {
                directories.push(name);
            } else {
                removed |= self.took(unlinkat(&self.root, &name, AtFlags::empty()));
            }
        }
        Ok((directories, removed))
    }

    /// Empties and removes a directory of the root; whether there is less to remove afterwards.
    fn directory(&mut self, name: &CStr) -> bool {
        let emptied = self.empty(name);
        let removed = match emptied {
            Ok(_) => unlinkat(&self.root, name, AtFlags::REMOVEDIR),
            Err(error) => Err(error),
        };
        self.took(removed) || emptied.unwrap_or(false)
    }

    fn empty(&mut self, name: &CStr) -> rustix::io::Result<bool> {
        let directory = open(&self.root, name)?;
        let mut progress = false;
        for (entry, kind) in entries(&directory)? {
            let gone = if kind == FileType::Directory {
                self.move_up(&directory, &entry)
            } else {
                unlinkat(&directory, &entry, AtFlags::empty())
            };
            progress |= self.took(gone);
        }
        Ok(progress)
    }

    fn move_up(&mut self, from: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
        // What it is moved from is written in it, too.
        open(from, name)?;
        loop {
            let target = self.names.to_string();
            self.names += 1;
            match renameat(from, name, &self.root, &target) {
                // Somebody has thought of that name, too.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                moved => return moved,
            }
        }
    }

    fn took(&mut self, result: rustix::io::Result<()>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                self.failure.get_or_insert(error);
                false
            }
        }
    }
}

/// Opens a directory, and no link to one, after its owner was allowed to use it.
fn open(parent: impl AsFd, name: impl Arg) -> rustix::io::Result<OwnedFd> {
    const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    // Whatever its mode, it can be opened so far as to name it.
    let named = openat(parent, name, DIRECTORY.union(OFlags::PATH), Mode::empty())?;
    let path = format!("/proc/self/fd/{}", named.as_raw_fd());
    // Where that is not allowed, it may not be needed.
    let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    openat(&named, c".", DIRECTORY, Mode::empty())
}

fn entries(directory: &OwnedFd) -> rustix::io::Result<Vec<(CString, FileType)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // Not every file system tells with the name what has it.
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        entries.push((name.to_owned(), kind));
    }
    Ok(entries)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::symlink;

    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    use super::*;

    /// Runs as if by a user who is not root, to whom modes mean something.
    pub(crate) fn unprivileged<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            // Capabilities are a thread's own.
            let worker = scope.spawn(|| {
                let none = CapabilitySet::empty();
                let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
                set_capabilities(None, sets).unwrap();
                work()
            });
            worker.join().unwrap()
        })
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn directory(path: &Path) -> &Path {
        fs::create_dir_all(path).unwrap();
        path
    }

    #[test]
    fn no_mode_keeps_anything() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join("left");
        for mode in [0o555, 0o000, 0o111, 0o222, 0o444] {
            let closed = directory(&left.join(format!("{mode:o}/inner/innermost"))).to_owned();
            fs::write(closed.join("file"), "left").unwrap();
            set_mode(&closed.join("file"), 0);
            for closed in closed.ancestors().take(3) {
                set_mode(closed, mode);
            }
        }
        set_mode(&left, 0o555);
        unprivileged(|| {
            assert!(fs::remove_dir_all(&left).is_err(), "the modes mean nothing here");
            remove(&left).unwrap();
        });
        assert!(!left.exists());
    }

    #[test]
    fn no_depth_keeps_anything() {
        const DEPTH: usize = 1100;
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join("left");
        directory(&left);
        // Names as it would choose them itself.
        for name in 0..9 {
            directory(&left.join(format!("{name}/{name}")));
            fs::write(left.join(format!("{name}{name}")), "left").unwrap();
        }
        // From the inside out: the whole path is longer than the system takes.
        let deepest = "d".repeat(100);
        for _ in 0..DEPTH {
            let (inner, outer) = (left.join(&deepest), left.join("outer"));
            directory(&outer);
            if inner.exists() {
                fs::rename(&inner, outer.join(&deepest)).unwrap();
            }
            fs::rename(outer, inner).unwrap();
        }
        remove(&left).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn what_links_point_to_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let outside = directory(&place.path().join("outside")).to_owned();
        fs::write(outside.join("file"), "mine").unwrap();
        set_mode(&outside, 0o555);
        let left = directory(&place.path().join("left/inner")).parent().unwrap().to_owned();
        symlink(&outside, left.join("link")).unwrap();
        symlink(&outside, left.join("inner/link")).unwrap();
        fs::hard_link(outside.join("file"), left.join("inner/file")).unwrap();
        remove(&left).unwrap();
        symlink(&outside, &left).unwrap();
        remove(&left).unwrap();
        assert!(left.symlink_metadata().is_err());
        let mode = fs::metadata(&outside).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, fs::read(outside.join("file")).unwrap()), (0o555, b"mine".to_vec()));
    }

    #[test]
    fn what_cannot_be_removed_is_told_and_all_else_goes() {
        let place = tempfile::tempdir().unwrap();
        let left = directory(&place.path().join("left")).to_owned();
        fs::write(left.join("inner"), "left").unwrap();
        set_mode(place.path(), 0o555);
        let error = unprivileged(|| remove(&left)).unwrap_err();
        set_mode(place.path(), 0o700);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(fs::read_dir(&left).unwrap().count(), 0);
        remove(&left).unwrap();
        remove(&left).unwrap();
    }
}
