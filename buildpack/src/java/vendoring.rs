//! How what a Maven project is built with comes into its package: it is built once with a repository
//! that is empty at first, and holds what this build needs then, plugins included, and nothing else.

use std::path::Path;

use super::outside;
use super::project::{JavaError, JavaProject};
use super::repository::{REPOSITORY, tidy};
use super::tool::Tool;
use crate::recipe::{Toolchain, Vendoring};

/// Where it belongs in a package.
const TO: &str = "src/maven-repository/";

/// The Maven option that names a repository.
const LOCAL: &str = "-Dmaven.repo.local=";

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
}
