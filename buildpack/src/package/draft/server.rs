//! What of a directory that says where a chaincode is served goes into a package: that, and what
//! becomes of `META-INF`, both at the top, as Fabric's own builder has them
//! (`ccaas_builder/cmd/build/main.go`).

use std::fs;
use std::path::Path;

use selvedge_package::{CONNECTION_FILE, META_INF};
use walkdir::DirEntry;

use super::collector::Rules;
use super::error::DraftError;

/// What says that the code itself is here. A server's source often has its `connection.json` beside
/// it; then nobody can tell which of the two is meant, and the code is what there is more of.
const OF_A_LANGUAGE: [&str; 6] =
    ["go.mod", "package.json", "pom.xml", "build.gradle", "build.gradle.kts", "image.json"];

/// Whether a directory is there for its `connection.json`.
pub(super) fn is_in(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    let mut has_connection = false;
    for name in entries.flatten().map(|entry| entry.file_name()) {
        let name = name.to_string_lossy();
        if OF_A_LANGUAGE.contains(&&*name) || name.ends_with(".go") {
            return false;
        }
        has_connection |= name == CONNECTION_FILE;
    }
    has_connection
}

/// The rules for such a directory.
pub(super) struct ServerRules;

impl Rules for ServerRules {
    fn reason_to_leave_out(
        &self,
        _entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        let is_part = below == CONNECTION_FILE || below.split('/').next() == Some(META_INF);
        Ok(if below.split('/').any(|part| part.starts_with('.')) {
            Some("hidden")
        } else if is_part {
            None
        } else {
            Some("of no use to a peer that dials a server")
        })
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        ("", below)
    }
}
