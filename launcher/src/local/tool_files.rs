//! What the tools keep for the next build in directories of the launcher's own, and the bound of
//! that: they bound little of it themselves.

use std::path::Path;
use std::{fs, io};

use walkdir::WalkDir;

use crate::removal;

/// Empties every directory in `own` when there are more than `limit` bytes in them; how many there
/// were then. Of no use while the tools run.
///
/// All of it goes: which of it they can do without one by one is for tools to know. The next build
/// fetches anew what it needs.
pub(super) fn bound(own: &Path, limit: u64) -> io::Result<Option<u64>> {
    let bytes = bytes_in(own);
    if bytes <= limit {
        return Ok(None);
    }
    // The directories themselves are what tools were told of.
    for directory in fs::read_dir(own)? {
        removal::clear(&directory?.path())?;
    }
    Ok(Some(bytes))
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
    use std::os::unix::fs::PermissionsExt;

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
}
