//! Java chaincode, and what else Maven and Gradle make jars of: how it is built and started.

mod built;
mod distribution;
mod division;
mod jar;
mod manifest;
mod mirror;
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

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::platform::Platform;
use crate::recipe::{BuildCommand, Buildpack, Mirror, Recipe, Refusal, Toolchain, Vendoring};
use crate::shim::Shim;
use crate::source::Source;

use mirror::MavenRepository;
use plan::JavaBuild;
pub use project::JavaError;
pub(crate) use project::JavaProject;
pub(crate) use repository::{REPOSITORY, is_note};
use variables::ALLOWED;

/// Java's entry among the languages.
pub(crate) struct Java;

/// What prints the versions of all the tools in one line. Of those that build, none may do, where a
/// package brings a wrapper or a ready jar. Debian's Maven colours its own, whoever reads it.
const VERSIONS: &str = "java=$(java -version 2>&1) || { echo 'there is no java in the PATH'; exit 1; }\n\
    first() { command -v \"$1\" >/dev/null && \"$@\" 2>/dev/null | grep -o -m 1 \"$pattern\" || echo none; }\n\
    pattern='Apache Maven [^[:cntrl:]]*'; maven=$(first mvn --batch-mode --version)\n\
    pattern='^Gradle [^[:cntrl:]]*'; gradle=$(first gradle --version)\n\
    echo $java, $maven, $gradle";

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
        let arguments = vec!["-c".into(), VERSIONS.into()];
        Some(toolchain.command("sh", arguments, &[], Path::new("/")))
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
        Ok(Box::new(JavaBuild::new(project)))
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
    use std::process::Command;

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

    /// By tools that are there, and some that are not.
    #[test]
    fn the_versions_in_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let tool = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = directory.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let grep = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|path| path.join("grep"))
            .find(|grep| grep.is_file());
        std::os::unix::fs::symlink(grep.unwrap(), directory.path().join("grep")).unwrap();
        let version = || {
            let variables = [("PATH".into(), directory.path().into())];
            let toolchain = Language::Java.toolchain(variables, directory.path()).unwrap();
            let command = Language::Java.version(&toolchain).unwrap();
            let output = Command::new("/bin/sh")
                .args(&command.arguments)
                .env_clear()
                .envs(command.environment)
                .output()
                .unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(version(), (false, "there is no java in the PATH\n".to_owned()));
        tool("java", "echo 'openjdk version \"17\"' >&2; echo 'build 1' >&2");
        assert_eq!(version(), (true, "openjdk version \"17\" build 1, none, none\n".to_owned()));
        tool("mvn", "echo 'warning'; echo 'Apache Maven 3.9.9 (abc)'; echo 'Java version: 17'");
        let expected = "openjdk version \"17\" build 1, Apache Maven 3.9.9 (abc), none\n";
        assert_eq!(version(), (true, expected.to_owned()));
    }
}
