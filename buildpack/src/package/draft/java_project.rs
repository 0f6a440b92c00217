//! What of a Java project, or of a directory with ready jars, goes into a package.
//!
//! The rules are those of Fabric's packager (`core/chaincode/platforms/java/platform.go`,
//! `GetDeploymentPayload`): all of the directory under `src/` but what was built, its `META-INF` at
//! the top. But of what is hidden, only Maven's own directory goes in, and its settings only without
//! a credential in them. Packages of earlier days stay out, too.

use std::fs;
use std::path::Path;

use selvedge_package::META_INF;
use walkdir::DirEntry;

use super::collector::Rules;
use super::earlier;
use super::error::{DraftError, reading};
use crate::java::{REPOSITORY, is_note};

/// The rules for one project.
pub(super) struct JavaRules<'a> {
    pub(super) root: &'a Path,
}

/// What makes a directory a Java project.
const PROJECTS: [&str; 3] = ["pom.xml", "build.gradle", "build.gradle.kts"];

/// Where builds leave what they made, at whatever depth.
const MADE: [&str; 3] = ["target", "build", "out"];

/// Maven's wrapper, options and extensions.
const MAVEN: &str = ".mvn";

/// How settings hold what only their owner should know (`settings.xml`).
const CREDENTIALS: [&str; 2] = ["<password>", "<passphrase>"];

/// Whether a directory holds a Java project, or nothing but jars that are ready. What is Go's or
/// Node's, too, is theirs.
pub(super) fn is_in(directory: &Path) -> Result<bool, DraftError> {
    let has = |name: &str| directory.join(name).is_file();
    if has("go.mod") || has("package.json") {
        return Ok(false);
    }
    if PROJECTS.into_iter().any(has) {
        return Ok(true);
    }
    let Ok(entries) = fs::read_dir(directory) else { return Ok(false) };
    for entry in entries {
        let path = entry.map_err(reading(directory))?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "jar") {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Rules for JavaRules<'_> {
    fn reason_to_leave_out(
        &self,
        entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        let name = below.rsplit('/').next().unwrap_or(below);
        // What a group is called there is no directory of a build's.
        if Path::new(below).starts_with(REPOSITORY) {
            return Ok(is_note(name).then_some("what Maven notes for itself"));
        }
        if entry.file_type().is_dir() && MADE.contains(&name) {
            return Ok(Some("what a build made"));
        }
        if Path::new(name).extension().is_some_and(|extension| extension == "class") {
            return Ok(Some("compiled"));
        }
        if below == MAVEN || below.starts_with(".mvn/") {
            let path = self.root.join(below);
            let settings = path.extension().is_some_and(|extension| extension == "xml");
            let text = if settings { fs::read(&path).map_err(reading(&path))? } else { vec![] };
            let text = String::from_utf8_lossy(&text);
            let holds = CREDENTIALS.iter().any(|credential| text.contains(credential));
            return Ok(holds.then_some("it holds a credential"));
        }
        if name.starts_with('.') {
            return Ok(Some("hidden"));
        }
        earlier::reason_to_leave_out(entry)
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        match below.strip_prefix(META_INF) {
            Ok(below) => ("META-INF/", below),
            Err(_) => ("src/", below),
        }
    }
}
