//! A Maven repository in a package: how a build is told of it, and what of one goes in.

use std::fs;
use std::io;
use std::path::Path;

use walkdir::WalkDir;

/// The directory of the repository, beside the `pom.xml`.
pub(crate) const REPOSITORY: &str = "maven-repository";

/// What a build is told that has all it needs in its package. Without its own notes of where a file is
/// from (`is_note`), Maven takes each for one that was put there.
pub(super) const OFFLINE: [&str; 2] = ["--offline", "-Dmaven.repo.local=maven-repository"];

/// What lists of versions are called, and what such a list is called that holds wherever somebody
/// asks: others are for the repository that they name.
const LISTS: &str = "maven-metadata-";
const LIST: &str = "maven-metadata-local.xml";

/// Whether a file of a repository is what Maven notes for itself: times, and where a file is from.
pub(crate) fn is_note(name: &str) -> bool {
    let is_known = ["_remote.repositories", "resolver-status.properties"].contains(&name);
    let ends = ["lastUpdated", "lock", "md5", "sha1", "sha256", "sha512"];
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    is_known || extension.is_some_and(|extension| ends.contains(&extension))
}

/// Removes notes, and has lists of versions hold wherever somebody asks.
pub(super) fn tidy(repository: &Path) -> io::Result<()> {
    for entry in WalkDir::new(repository).sort_by_file_name() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        let list = entry.path().with_file_name(LIST);
        if entry.file_type().is_dir() {
            continue;
        }
        if is_note(&name) {
            fs::remove_file(entry.path())?;
        } else if name.starts_with(LISTS) && !list.exists() {
            fs::rename(entry.path(), list)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_of_a_repository_is_left() {
        let place = tempfile::tempdir().unwrap();
        let artifact = place.path().join("org/example/a");
        fs::create_dir_all(artifact.join("1")).unwrap();
        for file in [
            "1/_remote.repositories",
            "1/a-1.jar",
            "1/a-1.jar.sha1",
            "1/a-1.pom",
            "1/b-1.pom.lastUpdated",
            "maven-metadata-central.xml",
            "maven-metadata-central.xml.sha1",
            "maven-metadata-company.xml",
            "resolver-status.properties",
        ] {
            fs::write(artifact.join(file), file).unwrap();
        }
        tidy(place.path()).unwrap();
        let files = WalkDir::new(&artifact).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file());
        let names: Vec<_> = files.map(|file| file.file_name().to_owned()).collect();
        assert_eq!(names, ["a-1.jar", "a-1.pom", "maven-metadata-company.xml", LIST]);
    }
}
