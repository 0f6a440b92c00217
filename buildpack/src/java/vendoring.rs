//! How what a Maven project is built with comes into its package: it is built once with a repository
//! that is empty at first, and holds what this build needs then, plugins included, and nothing else.

use std::fs;
use std::io;
use std::path::Path;

use walkdir::WalkDir;

use super::outside;
use super::project::{JavaError, JavaProject};
use super::tool::Tool;
use crate::recipe::{Toolchain, Vendoring};

/// The directory of the repository, beside the `pom.xml`.
pub(crate) const REPOSITORY: &str = "maven-repository";

/// Where it belongs in a package.
const TO: &str = "src/maven-repository/";

/// The Maven option that names a repository.
const LOCAL: &str = "-Dmaven.repo.local=";

/// What a build is told that has all it needs in its package. Without its own notes of where a file is
/// from (`is_note`), Maven takes each for one that was put there.
pub(super) const OFFLINE: [&str; 2] = ["--offline", "-Dmaven.repo.local=maven-repository"];

/// What lists of versions are called, and what such a list is called that holds wherever somebody
/// asks: others are for the repository that they name.
const LISTS: &str = "maven-metadata-";
const LIST: &str = "maven-metadata-local.xml";

impl JavaProject {
    /// What builds the copy of a project in `staged`, in which the repository is made.
    pub(super) fn vendoring(
        &self,
        staged: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, JavaError> {
        let Self::Source { tool, packed: false, directory, .. } = self else { return Ok(None) };
        if *tool != Tool::Maven {
            return Err(JavaError::Vendored(tool.name()));
        }
        let from = staged.join(REPOSITORY);
        let repository = format!("{LOCAL}{}", from.display());
        let arguments: Vec<&str> =
            [repository.as_str()].into_iter().chain(tool.arguments().iter().copied()).collect();
        let build = staged.join(directory);
        let commands = outside::commands(toolchain, staged, tool.program(), &arguments, &build);
        let typed = format!("{} {LOCAL}{REPOSITORY} package", tool.program());
        Ok(Some(Vendoring { typed, commands, from, to: TO, tidy }))
    }
}

/// Whether a file of a repository is what Maven notes for itself: times, and where a file is from.
pub(crate) fn is_note(name: &str) -> bool {
    let is_known = ["_remote.repositories", "resolver-status.properties"].contains(&name);
    let ends = ["lastUpdated", "lock", "md5", "sha1", "sha256", "sha512"];
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    is_known || extension.is_some_and(|extension| ends.contains(&extension))
}

/// Removes notes, and has lists of versions hold wherever somebody asks.
fn tidy(repository: &Path) -> io::Result<()> {
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
    use super::super::variables::ALLOWED;
    use super::*;

    fn vendoring(project: &JavaProject) -> Result<Option<Vendoring>, JavaError> {
        let variables = [("PATH".into(), "/bin".into())];
        let toolchain = Toolchain::new(&mut variables.into_iter(), ALLOWED);
        project.vendoring(Path::new("/staged"), &toolchain)
    }

    fn source(tool: Tool, packed: bool) -> JavaProject {
        JavaProject::Source { tool, wrapped: true, packed, directory: "src" }
    }

    #[test]
    fn built_once_with_a_repository_of_its_own() {
        let vendoring = vendoring(&source(Tool::Maven, false)).unwrap().unwrap();
        assert_eq!(vendoring.typed, "mvn -Dmaven.repo.local=maven-repository package");
        let [command] = &vendoring.commands[..] else { panic!() };
        assert_eq!(command.program, "mvn", "a wrapper is not used where it could fetch nothing");
        assert_eq!(command.arguments[0], "-Dmaven.repo.local=/staged/maven-repository");
        assert_eq!(command.directory, Path::new("/staged/src"));
        let places = (vendoring.from.as_path(), vendoring.to);
        assert_eq!(places, (Path::new("/staged/maven-repository"), "src/maven-repository/"));
    }

    #[test]
    fn what_has_all_and_what_cannot_have_it() {
        assert!(vendoring(&source(Tool::Maven, true)).unwrap().is_none());
        assert!(vendoring(&JavaProject::Jars(vec!["src/a.jar".to_owned()])).unwrap().is_none());
        let told = vendoring(&source(Tool::Gradle, false)).unwrap_err().to_string();
        assert!(told.starts_with("the dependencies of a Gradle project cannot be"), "{told}");
    }

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
