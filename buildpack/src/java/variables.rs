//! What the tools see of the environment of whoever builds.

/// The variables of the caller that reach the tools: where they find themselves, their settings,
/// repositories and who they are there. What a build runs can read them.
/// Not `MAVEN_CONFIG`, which Maven's own images set to a directory, and its wrapper takes for
/// arguments.
pub(super) const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "JAVA_HOME",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "MAVEN_ARGS",
    "MAVEN_OPTS",
    "MAVEN_USER_HOME",
    "MVNW_*",
    "GRADLE_HOME",
    "GRADLE_OPTS",
    "GRADLE_USER_HOME",
    "ORG_GRADLE_PROJECT_*",
    "SELVEDGE_GRADLE_DISTRIBUTIONS",
];

/// What wins over the caller's: without it javac takes what is in a source for the encoding of
/// wherever it runs (before Java 18), and tools write what nobody can read.
pub(super) const PINNED: &[(&str, &str)] = &[("LC_ALL", "C.UTF-8")];
