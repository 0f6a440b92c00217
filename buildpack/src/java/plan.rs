//! The one way a Java chaincode is built: a pure function of what its package holds.

use std::fs;
use std::io;

use super::built::take;
use super::distribution;
use super::mirror::MavenRepository;
use super::output::{PACKED, REPOSITORIES, first_errors};
use super::outside;
use super::project::JavaProject;
use super::repository::OFFLINE;
use super::start::{LIBRARIES, Launch};
use super::tool::Tool;
use super::versions::versions;
use crate::archive::Packing;
use crate::digest::Sha256;
use crate::image::{Form, LayerForm, Part, Tree};
use crate::recipe::{BuildCommand, Failure, Mirror, Recipe, Refusal, Toolchain, Workplace, copy};

/// Changes when the same commands make another image.
const VERSION: &str = "java 3";

/// Where a project is built, in the output.
const BUILD: &str = "build";

/// Where the jars are that become the layers, in the output.
const CHAINCODE: &str = "chaincode";

/// The plan for one chaincode.
#[derive(Clone, Debug)]
pub(super) struct JavaBuild {
    project: JavaProject,
    needs: Option<Sha256>,
}

impl JavaBuild {
    /// Plans the build of a project with these needs.
    pub(super) fn new(project: JavaProject, needs: Option<Sha256>) -> Self {
        Self { project, needs }
    }

    fn launch(&self) -> Launch {
        match &self.project {
            JavaProject::Source { .. } => Launch::Built,
            JavaProject::Jars(jars) => Launch::Ready(jars.clone()),
        }
    }

    /// The command: a program with its arguments.
    fn step(&self) -> Option<(&'static str, Vec<&'static str>)> {
        let JavaProject::Source { tool, wrapped, packed, .. } = self.project else { return None };
        // By the shell: no file of a package may be executed by itself. Where nothing is fetched, a
        // wrapper could not fetch the tool itself.
        let script = (wrapped && !packed).then(|| tool.script());
        let program = script.map_or(tool.program(), |_| "sh");
        let offline = packed.then_some(OFFLINE).into_iter().flatten();
        let arguments = script.into_iter().chain(offline).chain(tool.arguments().iter().copied());
        Some((program, arguments.collect()))
    }
}

impl Recipe for JavaBuild {
    fn inputs(&self) -> Vec<String> {
        let step =
            self.step().map(|(program, arguments)| format!("{program} {}", arguments.join(" ")));
        let start = self.launch().start().entrypoint;
        [VERSION.to_owned()].into_iter().chain(step).chain(start).collect()
    }

    /// A wrapper, and with it the tool that it fetches, is a part of the source.
    fn version(&self, toolchain: &Toolchain) -> Option<BuildCommand> {
        let tools = match &self.project {
            JavaProject::Source { tool, wrapped, packed, .. } if *packed || !wrapped => vec![*tool],
            _ => vec![],
        };
        Some(versions(toolchain, &tools))
    }

    /// Of a project that was built here it is known what is its own; of a ready jar it is not.
    fn form(&self) -> Form {
        // Jars are compressed already.
        let below =
            |what, directory| LayerForm::Below { what, directory, packing: Packing::Stored };
        let chaincode = below("chaincode", "usr/local/src");
        let dependencies = below("dependencies", "usr/local/src/lib");
        let layers = match self.project {
            JavaProject::Source { .. } => vec![dependencies, chaincode],
            JavaProject::Jars(_) => vec![chaincode],
        };
        Form { layers, start: self.launch().start() }
    }

    fn mirror(&self) -> Option<&'static dyn Mirror> {
        match self.project {
            JavaProject::Source { tool: Tool::Maven, packed: false, .. } => Some(&MavenRepository),
            _ => None,
        }
    }

    fn needs(&self) -> Option<Sha256> {
        self.needs
    }

    fn prepare(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> io::Result<()> {
        let chaincode = place.output.join(CHAINCODE);
        fs::create_dir(&chaincode)?;
        match &self.project {
            JavaProject::Source { tool, wrapped, directory, .. } => {
                outside::prepare(place.output)?;
                let build = place.output.join(BUILD);
                copy(&place.source.join(directory), &build)?;
                match (tool, wrapped) {
                    (Tool::Gradle, true) => distribution::ask_mirror(toolchain, &build),
                    _ => Ok(()),
                }
            }
            JavaProject::Jars(jars) => jars.iter().try_for_each(|jar| {
                let to = chaincode.join(jar);
                fs::create_dir_all(to.parent().unwrap_or(&chaincode))?;
                fs::copy(place.source.join(jar), to).map(drop)
            }),
        }
    }

    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand> {
        let Some((program, arguments)) = self.step() else { return Vec::new() };
        let build = place.output.join(BUILD);
        outside::commands(toolchain, place.output, program, &arguments, &build)
    }

    fn question(
        &self,
        _output: &str,
        _toolchain: &Toolchain,
        _place: &Workplace<'_>,
    ) -> Option<BuildCommand> {
        None
    }

    fn errors(&self, failure: &Failure<'_>) -> Vec<String> {
        let Failure { command, output, .. } = failure;
        // What lies in a directory that nobody knows.
        let directory = format!("{}/", command.directory.display());
        let is_packed = matches!(self.project, JavaProject::Source { packed: true, .. });
        let unfetched = if is_packed { PACKED } else { REPOSITORIES };
        failure.with_wait(first_errors(&output.replace(&directory, ""), unfetched), unfetched)
    }

    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal> {
        let root = place.output.join(CHAINCODE);
        let JavaProject::Source { tool, .. } = self.project else {
            return Ok(vec![Part::Tree(Tree { root, part: "", without: &[] })]);
        };
        take(tool, &place.output.join(BUILD), &root)
            .map_err(|error| Refusal::Code(error.into()))?;
        let dependencies = Tree { root: root.clone(), part: LIBRARIES, without: &[] };
        let code = Tree { root, part: "", without: &[LIBRARIES] };
        Ok([dependencies, code].map(Part::Tree).into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::variables::ALLOWED;
    use super::*;

    fn build(project: JavaProject) -> JavaBuild {
        JavaBuild::new(project, None)
    }

    fn source(tool: Tool, wrapped: bool) -> JavaBuild {
        build(JavaProject::Source { tool, wrapped, packed: false, directory: "src" })
    }

    /// One that brings what it is built with.
    fn packed(wrapped: bool) -> JavaBuild {
        let (tool, packed) = (Tool::Maven, true);
        build(JavaProject::Source { tool, wrapped, packed, directory: "src" })
    }

    /// The beginning and the end of a command.
    fn command(build: &JavaBuild) -> (String, String) {
        let variables = [("PATH", "/bin"), ("MVNW_REPOURL", "x"), ("MAVEN_CONFIG", "/root/.m2")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let toolchain = Toolchain::new(&mut variables.into_iter(), ALLOWED);
        let place = Workplace { source: Path::new("/work"), output: Path::new("/out") };
        let [command] = &build.commands(&toolchain, &place)[..] else { panic!() };
        assert_eq!(command.directory, Path::new("/out/build"));
        let names = command.environment.iter().map(|(name, _)| name.to_string_lossy());
        assert_eq!(names.collect::<Vec<_>>(), ["LC_ALL", "MVNW_REPOURL", "PATH"]);
        let words: Vec<_> = command.arguments.iter().map(|word| word.to_string_lossy()).collect();
        let beginning = format!("{} {}", command.program.to_string_lossy(), words[0]);
        (beginning, words[words.len() - 4..].join(" "))
    }

    #[test]
    fn as_fabrics_own_image_does_it() {
        let by_maven = "compile package -DskipTests -Dmaven.test.skip=true";
        let by_gradle = "build shadowJar -x test";
        for (tool, wrapped, beginning, end) in [
            (Tool::Maven, false, "mvn --batch-mode", by_maven),
            (Tool::Maven, true, "sh ./mvnw", by_maven),
            (Tool::Gradle, false, "gradle --no-daemon", by_gradle),
            (Tool::Gradle, true, "sh ./gradlew", by_gradle),
        ] {
            assert_eq!(command(&source(tool, wrapped)), (beginning.to_owned(), end.to_owned()));
        }
    }

    #[test]
    fn what_is_in_the_package_is_not_fetched() {
        for wrapped in [false, true] {
            let build = packed(wrapped);
            assert_eq!(command(&build).0, "mvn --offline");
            assert!(build.inputs()[1].contains("-Dmaven.repo.local=maven-repository"));
            assert!(build.mirror().is_none());
        }
    }

    #[test]
    fn what_decides_the_outcome() {
        let jars = build(JavaProject::Jars(vec!["src/a.jar".to_owned()]));
        let all = [source(Tool::Maven, false), source(Tool::Maven, true), jars];
        let all = all.map(|build| build.inputs());
        assert!(all[0] != all[1] && all[0] != all[2]);
        assert!(all[2].iter().any(|input| input == "src/a.jar"));
        assert!(all[0][1].contains("project.build.outputTimestamp"));
    }

    #[test]
    fn what_no_tool_has_made() {
        let directory = tempfile::tempdir().unwrap();
        let build = directory.path().join(BUILD);
        let refused = |tool| {
            let place = Workplace { source: directory.path(), output: directory.path() };
            source(tool, false).parts(&place).unwrap_err().to_string()
        };
        let told = refused(Tool::Gradle);
        assert!(told.starts_with("Gradle made no build/libs/chaincode.jar; set archive"), "{told}");
        fs::create_dir_all(build.join("target")).unwrap();
        fs::write(build.join("target/basic-1.0.jar"), "").unwrap();
        let told = refused(Tool::Maven);
        let expected = "Maven made no target/chaincode.jar, but target/basic-1.0.jar; \
                        set <finalName>chaincode</finalName>";
        assert_eq!(told, expected);
        fs::write(build.join("target/chaincode.jar"), "text").unwrap();
        let told = refused(Tool::Maven);
        assert!(told.starts_with("target/chaincode.jar is not a jar: "), "{told}");
    }
}
