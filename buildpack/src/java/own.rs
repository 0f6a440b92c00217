//! What of a build is the project's own: what its compilers and what copies its resources have left
//! beside the jar, and what Maven notes of the project in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::tool::Tool;
use super::untrusted_file::{is_file, read};
use crate::archive::EntryPath;

/// Where Maven's archiver keeps what it notes of the project.
const NOTE: &str = "target/maven-archiver/pom.properties";

/// The most that such a note may have, in bytes.
const MOST_NOTE: u64 = 64 << 10;

/// What is known of it after a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    directories: Vec<PathBuf>,
    /// Where the project's note is in the jar.
    noted: Option<String>,
}

impl Own {
    /// Looks where the tool leaves such things, in the directory of the project.
    pub(super) fn of(tool: Tool, build: &Path) -> Self {
        match tool {
            Tool::Maven => {
                let note = read(&build.join(NOTE), MOST_NOTE).unwrap_or_default();
                Self {
                    directories: vec![build.join("target/classes")],
                    noted: noted(&String::from_utf8_lossy(&note)),
                }
            }
            Tool::Gradle => {
                // One for each language.
                let compiled = fs::read_dir(build.join("build/classes")).into_iter().flatten();
                let compiled =
                    compiled.filter_map(Result::ok).map(|entry| entry.path().join("main"));
                let directories = compiled.chain([build.join("build/resources/main")]).collect();
                Self { directories, noted: None }
            }
        }
    }

    /// Whether an entry of the jar is the project's own.
    pub(super) fn has(&self, name: &str) -> bool {
        if self.noted.as_deref().is_some_and(|noted| name.starts_with(noted)) {
            return true;
        }
        // A name may lead anywhere.
        let Ok(path) = EntryPath::parse(name.as_bytes()) else { return false };
        self.directories.iter().any(|directory| is_file(&directory.join(path.as_str())))
    }
}

/// Where the jar has what Maven notes of the project.
fn noted(note: &str) -> Option<String> {
    let value = |key| {
        let values = note.lines().filter_map(|line| line.split_once('='));
        values.filter(|(name, _)| *name == key).map(|(_, value)| value.trim()).next()
    };
    Some(format!("META-INF/maven/{}/{}/", value("groupId")?, value("artifactId")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), text).unwrap();
        }
    }

    #[test]
    fn of_maven() {
        let build = tempfile::tempdir().unwrap();
        let note = "artifactId=asset\r\ngroupId=org.example\nversion=1\n";
        write(build.path(), &[("target/classes/a/B.class", ""), (NOTE, note), ("pom.xml", "")]);
        let own = Own::of(Tool::Maven, build.path());
        for name in ["a/B.class", "META-INF/maven/org.example/asset/pom.xml"] {
            assert!(own.has(name), "{name}");
        }
        for name in ["a", "a/", "a/C.class", "META-INF/maven/org.example/other/pom.xml"] {
            assert!(!own.has(name), "{name}");
        }
        assert!(!own.has("../../pom.xml") && !own.has("/etc/passwd"));
        let endless = format!("{note}{}", " ".repeat(64 << 10));
        for note in ["version=1\n", &endless] {
            write(build.path(), &[(NOTE, note)]);
            assert_eq!(Own::of(Tool::Maven, build.path()).noted, None);
        }
    }

    #[test]
    fn of_gradle() {
        let build = tempfile::tempdir().unwrap();
        let files = ["classes/java/main/a/B.class", "classes/kotlin/main/a/C.class"];
        let files = files.into_iter().chain(["resources/main/d.txt", "classes/java/test/e.class"]);
        for file in files {
            write(build.path(), &[(&format!("build/{file}"), "")]);
        }
        let own = Own::of(Tool::Gradle, build.path());
        assert!(["a/B.class", "a/C.class", "d.txt"].iter().all(|name| own.has(name)));
        assert!(!own.has("e.class"));
        let nothing = Own::of(Tool::Gradle, &build.path().join("nowhere"));
        assert!(!nothing.has("a/B.class"));
    }
}
