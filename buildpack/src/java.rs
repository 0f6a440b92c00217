//! Java chaincode, and what else Maven and Gradle make jars of: how it is built and started.

mod built;
mod distribution;
mod division;
mod jar;
mod manifest;
mod mirror;
mod needs;
mod output;
mod outside;
mod own;
mod plan;
mod positioned;
mod project;
mod repository;
mod shim;
mod start;
mod tool;
mod untrusted_file;
mod variables;
mod vendoring;
mod versions;
mod windowed;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::platform::Platform;
use crate::recipe::{BuildCommand, Buildpack, Mirror, Recipe, Refusal, Toolchain, Vendoring};
use crate::shim::Shim;
use crate::source::Source;

use mirror::MavenRepository;
use needs::needs;
use plan::JavaBuild;
pub use project::JavaError;
pub(crate) use project::JavaProject;
pub(crate) use repository::{REPOSITORY, is_note};
use tool::Tool;
use variables::ALLOWED;
use versions::versions;

/// Java's entry among the languages.
pub(crate) struct Java;

impl Buildpack for Java {
    fn toolchain(
        &self,
        variables: &mut dyn Iterator<Item = (OsString, OsString)>,
        own: &Path,
    ) -> io::Result<Toolchain> {
        let mut toolchain = Toolchain::new(variables, ALLOWED);
        // All of them keep what they download below it, and fail where they cannot.
        toolchain.provide_home(own)?;
        at_home(&mut toolchain);
        Ok(toolchain)
    }

    fn version(&self, toolchain: &Toolchain) -> Option<BuildCommand> {
        Some(versions(toolchain, &[Tool::Maven, Tool::Gradle]))
    }

    /// The metadata's path is that of the directory that somebody packaged, and means nothing
    /// (Fabric `core/chaincode/platforms/java/platform.go`).
    fn recipe(
        &self,
        source: &Source,
        _path: &str,
        _platform: Platform,
    ) -> Result<Box<dyn Recipe>, Refusal> {
        let project = JavaProject::open(source).map_err(|error| Refusal::Code(error.into()))?;
        let needs = needs(source).map_err(|error| Refusal::Code(error.into()))?;
        Ok(Box::new(JavaBuild::new(project, needs)))
    }

    fn mirror(&self) -> Option<&'static dyn Mirror> {
        Some(&MavenRepository)
    }

    fn shim(&self, source: &Source, _path: &str) -> Shim {
        shim::shim(source)
    }

    /// What Maven needs to build is more than what the chaincode needs, and is nowhere beside the code.
    fn vendoring(
        &self,
        _directory: &Path,
        staged: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, Refusal> {
        let source = Source::open(staged).map_err(|error| Refusal::Code(error.into()))?;
        let project = JavaProject::open(&source).map_err(|error| Refusal::Code(error.into()))?;
        outside::prepare(staged).map_err(|error| Refusal::Code(error.into()))?;
        project.vendoring(staged, toolchain).map_err(|error| Refusal::Code(error.into()))
    }

    fn arguments(&self, address: &str) -> Vec<String> {
        vec!["--peerAddress".to_owned(), address.to_owned()]
    }
}

/// Lets the tools find their settings in `HOME`: a JVM asks the machine's list of users instead, in
/// which the user of a pod is not (`user.home` in `java.lang.System`). What the caller says wins.
fn at_home(toolchain: &mut Toolchain) {
    let Some(home) = toolchain.get("HOME").and_then(|home| home.to_str()) else { return };
    // Their scripts take the options apart at spaces.
    if home.contains(char::is_whitespace) {
        return;
    }
    let property = format!("-Duser.home={home}");
    for variable in ["MAVEN_OPTS", "GRADLE_OPTS"] {
        let said = toolchain.get(variable).and_then(|said| said.to_str()).unwrap_or_default();
        let options = format!("{property} {said}");
        toolchain.set(variable, Path::new(options.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use crate::language::Language;

    #[test]
    fn a_home_where_there_is_none() {
        let own = tempfile::tempdir().unwrap();
        let toolchain = Language::Java.toolchain([], own.path()).unwrap();
        assert_eq!(toolchain.own(), ["HOME"]);
        let home = own.path().join("home");
        let options = format!("-Duser.home={}", home.display());
        assert_eq!(toolchain.get("MAVEN_OPTS").unwrap().as_os_str(), options.as_str());

        let variables = [("HOME", own.path().to_str().unwrap()), ("MAVEN_OPTS", "-Xmx1g")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let toolchain = Language::Java.toolchain(variables, own.path()).unwrap();
        assert!(toolchain.own().is_empty());
        let options = format!("-Duser.home={} -Xmx1g", own.path().display());
        assert_eq!(toolchain.get("MAVEN_OPTS").unwrap().as_os_str(), options.as_str());
    }
}
