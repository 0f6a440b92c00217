//! What of a Java chaincode's source can be told before it is built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zip::result::ZipError;

use super::jar::Jar;
use super::repository::REPOSITORY;
use super::start::ROUTER;
use super::tool::Tool;
use crate::archive::EntryPath;
use crate::source::Source;

/// Where Fabric's own Java image looks for a project, in this order (`fabric-chaincode-docker/build.sh`
/// of fabric-chaincode-java): the top of the package, and where packagers put the code.
const DIRECTORIES: [&str; 2] = ["", "src"];

/// A Java chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JavaProject {
    /// One that a tool makes a jar of.
    Source {
        /// The tool.
        tool: Tool,
        /// Whether by the wrapper in the package.
        wrapped: bool,
        /// Whether the package holds a repository with all that it is built with.
        packed: bool,
        /// The directory of the project in the package.
        directory: &'static str,
    },
    /// Jars that are ready, by their paths in the package, sorted.
    Jars(Vec<String>),
}

/// Why Java source cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JavaError {
    /// Nothing to build or to start.
    #[error(
        "the code holds no src/pom.xml, src/build.gradle, src/build.gradle.kts or jar; package the \
         directory that holds the chaincode's pom.xml, or a jar with all that the chaincode depends on"
    )]
    NoProject,
    /// A jar that no class path can name.
    #[error("the jar `{}` has a colon in its name, which no class path can hold", .0.escape_debug())]
    Colon(String),
    /// A jar that is none.
    #[error("{} is not a jar: {fault}", .jar.escape_debug())]
    Malformed {
        /// Which.
        jar: String,
        /// Why.
        fault: ZipError,
    },
    /// Ready jars without the shim.
    #[error(
        "none of the jars in the code holds {ROUTER}, which starts them; package a jar with all that \
         the chaincode depends on (maven-shade-plugin, or Gradle's shadowJar), or its source"
    )]
    NoRouter,
    /// Asked to take along what no package can hold.
    #[error(
        "the dependencies of a {0} project cannot be taken along; for builds without a network package \
         the jar that it makes, in a directory of its own"
    )]
    Vendored(&'static str),
    /// The build made no jar of the name that Fabric's image takes.
    #[error("{tool} made no {wanted}{}; {way}", instead(.found))]
    NotBuilt {
        /// Which tool.
        tool: &'static str,
        /// What is looked for.
        wanted: String,
        /// What there is in its place.
        found: Vec<String>,
        /// How it gets there.
        way: &'static str,
    },
    /// The jar does not say how it is started.
    #[error(
        "{jar} names no Main-Class in its manifest; name {ROUTER} there (in maven-shade-plugin by a \
         ManifestResourceTransformer, in Gradle by manifest.attributes)"
    )]
    NoMainClass {
        /// Which.
        jar: String,
    },
    /// What the jar says it is started by is elsewhere.
    #[error(
        "{jar} is started by `{class}`, which is not in it; make it with all that the chaincode \
         depends on (maven-shade-plugin, or Gradle's shadowJar)", class = .class.escape_debug()
    )]
    NoClass {
        /// Which.
        jar: String,
        /// What its manifest names.
        class: String,
    },
    /// The jar could not be put where the image takes it from.
    #[error("cannot write {0}")]
    Write(PathBuf, #[source] ZipError),
}

impl JavaProject {
    /// Finds out what a source is, and makes sure that it can be a chaincode.
    pub(super) fn open(source: &Source) -> Result<Self, JavaError> {
        Self::find(&source.paths(), |path| source.root().join(path))
    }

    /// As [`JavaProject::open`], of what is to go into a package: `files` by their paths there, which
    /// lie on disk where `on_disk` says.
    pub(crate) fn find(
        files: &BTreeSet<EntryPath>,
        on_disk: impl Fn(&str) -> PathBuf,
    ) -> Result<Self, JavaError> {
        for directory in DIRECTORIES {
            let has = |name: &str| {
                let path = Path::new(directory).join(name);
                path.to_str().is_some_and(|path| files.contains(path))
            };
            if let Some(tool) = Tool::of(has) {
                let wrapped = tool.wrapper().iter().all(|file| has(file));
                let repository = Path::new(directory).join(REPOSITORY);
                let holds =
                    || files.iter().any(|file| Path::new(file.as_str()).starts_with(&repository));
                let packed = tool == Tool::Maven && holds();
                return Ok(Self::Source { tool, wrapped, packed, directory });
            }
        }
        let jars = files.iter().map(EntryPath::as_str).filter(|path| is_jar(path));
        let jars: Vec<String> = jars.map(str::to_owned).collect();
        if jars.is_empty() {
            return Err(JavaError::NoProject);
        }
        let mut is_there = false;
        for jar in &jars {
            if jar.contains(':') {
                return Err(JavaError::Colon(jar.clone()));
            }
            let malformed = |fault| JavaError::Malformed { jar: jar.clone(), fault };
            is_there |= Jar::open(&on_disk(jar)).map_err(malformed)?.holds(ROUTER);
        }
        if is_there { Ok(Self::Jars(jars)) } else { Err(JavaError::NoRouter) }
    }
}

/// Whether a file is a jar, as Fabric's image counts them.
pub(super) fn is_jar(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "jar")
}

fn instead(found: &[String]) -> String {
    if found.is_empty() { String::new() } else { format!(", but {}", found.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn open(files: &[(&str, &[u8])]) -> Result<JavaProject, JavaError> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        JavaProject::open(&Source::open(directory.path()).unwrap())
    }

    fn jar(entry: &str) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(File::create(file.path()).unwrap());
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(entry, stored).unwrap();
        writer.write_all(b"class").unwrap();
        writer.finish().unwrap();
        fs::read(file.path()).unwrap()
    }

    #[test]
    fn maven_and_gradle_with_their_wrappers_and_without() {
        let pom: (&str, &[u8]) = ("src/pom.xml", b"");
        let source = |tool, wrapped, directory| JavaProject::Source {
            tool,
            wrapped,
            packed: false,
            directory,
        };
        let script: (&str, &[u8]) = ("src/mvnw", b"");
        let settings: (&str, &[u8]) = ("src/.mvn/wrapper/maven-wrapper.properties", b"");
        for (files, project) in [
            (&[pom][..], source(Tool::Maven, false, "src")),
            (&[pom, script, settings], source(Tool::Maven, true, "src")),
            // A wrapper of which a packager left out what is hidden.
            (&[pom, script], source(Tool::Maven, false, "src")),
            (&[("pom.xml", b""), pom, script, settings], source(Tool::Maven, false, "")),
            (&[pom, ("src/build.gradle.kts", b"")], source(Tool::Gradle, false, "src")),
            // Jars beside a project are what it is made with.
            (&[pom, ("src/lib/a.jar", b"none")], source(Tool::Maven, false, "src")),
        ] {
            assert_eq!(open(files).unwrap(), project, "{files:?}");
        }
    }

    #[test]
    fn what_a_project_is_built_with_may_be_beside_it() {
        let packed = |files: &[(&str, &[u8])]| match open(files).unwrap() {
            JavaProject::Source { packed, .. } => packed,
            JavaProject::Jars(_) => panic!("it is a project"),
        };
        let (pom, file) = (("src/pom.xml", &b""[..]), "maven-repository/org/example/a/1/a-1.pom");
        let [beside, above] = [format!("src/{file}"), file.to_owned()];
        assert!(packed(&[pom, (&beside, b"")]));
        assert!(
            !packed(&[pom, (&above, b"")]) && !packed(&[pom, ("src/maven-repository.md", b"")])
        );
        assert!(!packed(&[("src/build.gradle", b""), (&beside, b"")]));
    }

    #[test]
    fn jars_that_are_ready() {
        let (shim, other) = (jar("org/hyperledger/fabric/contract/ContractRouter.class"), jar("a"));
        let jars = JavaProject::Jars(["src/a.jar", "src/lib/b.jar"].map(str::to_owned).into());
        assert_eq!(open(&[("src/lib/b.jar", &shim), ("src/a.jar", &other)]).unwrap(), jars);
    }

    #[test]
    fn what_is_refused_by_name() {
        let other = jar("a");
        for (files, reason) in [
            (&[("src/Main.java", &b""[..])][..], "holds no src/pom.xml, src/build.gradle,"),
            (&[("src/a.jar", b"none")], "src/a.jar is not a jar: "),
            (&[("src/a.jar", &other)], "none of the jars in the code holds org.hyperledger"),
            (&[("src/a:b.jar", &other)], "the jar `src/a:b.jar` has a colon"),
        ] {
            let error = open(files).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
