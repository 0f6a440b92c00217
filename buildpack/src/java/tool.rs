//! What makes a jar of a source: Maven or Gradle, by the wrapper that the package has, or the one that
//! is installed. The commands are those of Fabric's own Java image (`fabric-chaincode-docker/build.sh`
//! of fabric-chaincode-java), and besides that they ask nobody, colour nothing, leave nobody running.

/// A build tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Maven.
    Maven,
    /// Gradle.
    Gradle,
}

/// Does not show what is downloaded, which is hundreds of lines; all Mavens know it.
const QUIET: &str =
    "-Dorg.slf4j.simpleLogger.log.org.apache.maven.cli.transfer.Slf4jMavenTransferListener=warn";

/// Lets the plugins that can write the same jar each time do so: the oldest time that they take.
const TIMESTAMP: &str = "-Dproject.build.outputTimestamp=1980-01-01T00:00:02Z";

impl Tool {
    /// The tool of a directory of these files; none if it is none's. Gradle comes first where there
    /// are files of both, as in Fabric's image.
    pub(super) fn of(has: impl Fn(&str) -> bool) -> Option<Self> {
        if has("build.gradle") || has("build.gradle.kts") {
            Some(Self::Gradle)
        } else {
            has("pom.xml").then_some(Self::Maven)
        }
    }

    /// The files of its wrapper. Without the others the script cannot work.
    pub(super) fn wrapper(self) -> &'static [&'static str] {
        match self {
            Self::Maven => &["mvnw", ".mvn/wrapper/maven-wrapper.properties"],
            Self::Gradle => &[
                "gradlew",
                "gradle/wrapper/gradle-wrapper.properties",
                "gradle/wrapper/gradle-wrapper.jar",
            ],
        }
    }

    /// The wrapper's script, with a directory in front: by that it finds its other files.
    pub(super) fn script(self) -> &'static str {
        match self {
            Self::Maven => "./mvnw",
            Self::Gradle => "./gradlew",
        }
    }

    /// The program where there is no wrapper.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Maven => "mvn",
            Self::Gradle => "gradle",
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Maven => "Maven",
            Self::Gradle => "Gradle",
        }
    }

    /// The arguments of the program or of the wrapper's script.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Maven => &[
                "--batch-mode",
                QUIET,
                TIMESTAMP,
                "compile",
                "package",
                "-DskipTests",
                "-Dmaven.test.skip=true",
            ],
            Self::Gradle => &["--no-daemon", "--console=plain", "build", "shadowJar", "-x", "test"],
        }
    }

    /// The directory where it leaves jars, below that of the project.
    pub(super) fn made_in(self) -> &'static str {
        match self {
            Self::Maven => "target",
            Self::Gradle => "build/libs",
        }
    }

    /// How its jar gets the name by which it is looked for.
    pub(super) fn way_to_name(self) -> &'static str {
        match self {
            Self::Maven => "set <finalName>chaincode</finalName>",
            Self::Gradle => "set archiveFileName = 'chaincode.jar' for the task shadowJar",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_fabrics_image() {
        let of = |files: &[&str]| Tool::of(|name| files.contains(&name));
        assert_eq!(of(&["pom.xml"]), Some(Tool::Maven));
        assert_eq!(of(&["pom.xml", "build.gradle"]), Some(Tool::Gradle));
        assert_eq!(of(&["build.gradle.kts"]), Some(Tool::Gradle));
        assert_eq!(of(&["settings.gradle"]), None);
    }
}
