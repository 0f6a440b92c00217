//! What the tools keep for the next build in directories of the launcher's own, and the bound of
//! that: they bound little of it themselves.

use std::path::Path;
use std::{fs, io};

use walkdir::WalkDir;

use crate::removal;

/// Empties every directory in `own`, and removes what else is in it, when there are more than `limit`
/// bytes in them; how many there were then. Of no use while the tools run.
///
/// All of it goes: which of it they can do without one by one is for tools to know. The next build
/// fetches anew what it needs.
///
/// # Errors
///
/// The first that there was, once all has gone that can.
pub(super) fn bound(own: &Path, limit: u64) -> io::Result<Option<u64>> {
    let bytes = bytes_in(own);
    if bytes <= limit {
        return Ok(None);
    }
    let mut result = Ok(Some(bytes));
    for entry in fs::read_dir(own)? {
        if let Err(error) = entry.and_then(|entry| clear(&entry)) {
            result = result.and(Err(error));
        }
    }
    result
}

/// The directories themselves are what tools were told of. A build can put other things in their
/// places, without which tools make the directories anew.
fn clear(entry: &fs::DirEntry) -> io::Result<()> {
    if entry.file_type()?.is_dir() {
        removal::clear(&entry.path())
    } else {
        removal::remove(&entry.path())
    }
}

/// What cannot be looked at, such as what has just gone, counts as nothing.
fn bytes_in(directory: &Path) -> u64 {
    let entries = WalkDir::new(directory).into_iter().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_too_much_goes_and_the_directories_stay() {
        let own = tempfile::tempdir().unwrap();
        // Go lets nobody write to a module.
        let module = own.path().join("modules/a@v1.0.0");
        fs::create_dir_all(&module).unwrap();
        fs::create_dir(own.path().join("builds")).unwrap();
        fs::write(module.join("a.go"), [0; 100]).unwrap();
        fs::set_permissions(&module, fs::Permissions::from_mode(0o555)).unwrap();

        assert_eq!(bound(own.path(), 100).unwrap(), None);
        assert!(module.join("a.go").exists());
        assert_eq!(bound(own.path(), 99).unwrap(), Some(100));
        assert_eq!(fs::read_dir(own.path()).unwrap().count(), 2);
        assert_eq!(fs::read_dir(own.path().join("modules")).unwrap().count(), 0);
        assert!(bound(&own.path().join("none"), 0).unwrap().is_none());
    }

    #[test]
    fn what_is_in_the_place_of_a_directory_goes() {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("a"), "a").unwrap();
        symlink(other.path(), own.path().join("home")).unwrap();
        fs::write(own.path().join("modules"), "ab").unwrap();
        fs::create_dir(own.path().join("packages")).unwrap();
        fs::write(own.path().join("packages/a"), "abc").unwrap();

        assert_eq!(bound(own.path(), 4).unwrap(), Some(5));
        let left = fs::read_dir(own.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["packages"]);
        assert_eq!(bytes_in(own.path()), 0);
        assert!(other.path().join("a").exists());
    }
}
