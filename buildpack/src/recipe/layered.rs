//! A directory of one's own that begins with what is in another, where nobody may write.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use walkdir::WalkDir;

/// What is small is copied, in bytes: so it can be written to.
const SMALL: u64 = 4 << 10;

/// Makes `own` have all that is below `shared`: large files as links to those there.
pub(crate) fn layered(shared: &Path, own: &Path) -> io::Result<()> {
    fs::create_dir_all(own)?;
    for entry in WalkDir::new(shared).min_depth(1) {
        // What is removed there meanwhile, or not there at all, is not needed.
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        let to = own.join(entry.path().strip_prefix(shared).unwrap_or(entry.path()));
        if metadata.is_dir() {
            fs::create_dir_all(&to)?;
        } else if metadata.len() <= SMALL {
            // One that has just been removed is not needed either.
            let _ = fs::copy(entry.path(), &to);
        } else {
            symlink(entry.path(), &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stays_ones_own() {
        let place = tempfile::tempdir().unwrap();
        let [shared, own] = ["shared", "own"].map(|name| place.path().join(name));
        fs::create_dir_all(shared.join("00")).unwrap();
        let large = vec![1; 5000];
        fs::write(shared.join("00/large"), &large).unwrap();
        fs::write(shared.join("00/small"), "small").unwrap();
        layered(&shared, &own).unwrap();
        assert_eq!(fs::read(own.join("00/large")).unwrap(), large);
        fs::write(own.join("00/small"), "changed").unwrap();
        fs::write(own.join("00/new"), "new").unwrap();
        assert_eq!(fs::read_to_string(shared.join("00/small")).unwrap(), "small");
        assert!(!shared.join("00/new").exists());
        layered(&place.path().join("nowhere"), &place.path().join("empty")).unwrap();
        assert!(place.path().join("empty").is_dir());
    }
}
