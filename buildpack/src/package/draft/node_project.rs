//! What of a Node project goes into a package.
//!
//! The rules are those of Fabric's packager (`core/chaincode/platforms/node/platform.go`,
//! `GetDeploymentPayload`): all of the directory under `src/` but the dependencies, its `META-INF` at
//! the top. But of what is hidden, only what package managers read goes in, and that only without a
//! credential in it. Packages of earlier days stay out, too.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use selvedge_package::META_INF;
use walkdir::DirEntry;

use super::Dependencies;
use super::collector::Rules;
use super::earlier;
use super::error::{DraftError, reading};
use crate::node::{NOTES, is_leaving};

/// The rules for one project.
pub(super) struct NodeRules<'a> {
    pub(super) root: &'a Path,
    pub(super) dependencies: Dependencies,
}

/// The settings of package managers, as far as they are hidden files at the top.
const SETTINGS: &[&str] = &[".npmrc", ".yarnrc", ".yarnrc.yml"];

/// What Yarn 2 and later, and pnpm, install with: the program itself, what extends it, and what is
/// changed of dependencies.
const YARN: &str = ".yarn";
const OF_YARN: [&str; 3] = [".yarn/releases", ".yarn/plugins", ".yarn/patches"];
const OF_PNPM: [&str; 2] = [".pnpmfile.cjs", ".pnpmfile.mjs"];

/// By which words such settings hold what only their owner should know; what refers to a variable
/// of the environment is none.
const CREDENTIALS: &[&str] = &["_auth", "_authToken", "_password", "npmAuthToken", "npmAuthIdent"];

/// The most of such settings that is read, in bytes.
const MOST_SETTINGS: u64 = 1 << 20;

/// Where Node's dependencies are.
const NODE_MODULES: &str = "node_modules";

const INSTALLED: &str = "dependencies, which are installed where it is built";
const LINKS: &str = "links to programs, which are made where it is built";
const NOTED: &str = "notes of a tool for itself";
const OF_NODE_GYP: &str = "what node-gyp left, with the settings of whoever compiled it";

/// Whether a directory is a Node project. What has a `go.mod`, too, is Go's: many a module has a
/// `package.json` for its tools.
pub(super) fn is_in(directory: &Path) -> bool {
    directory.join("package.json").is_file() && !directory.join("go.mod").is_file()
}

impl Rules for NodeRules<'_> {
    fn reason_to_leave_out(
        &self,
        entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        let parts = || below.split('/');
        let is_directory = entry.file_type().is_dir();
        // At whatever depth: each member of a workspace may have some.
        if parts().any(|part| part == NODE_MODULES) {
            return Ok(match self.dependencies {
                Dependencies::Installed => is_directory.then_some(INSTALLED),
                Dependencies::Packed => {
                    let inside =
                        below.rsplit_once("node_modules/").map_or("", |(_, inside)| inside);
                    reason_to_leave_out_of_dependencies(entry.path(), inside)
                }
            });
        }
        if is_leaving(entry.path()) {
            return Ok(Some(OF_NODE_GYP));
        }
        if SETTINGS.contains(&below) && !is_directory {
            let path = self.root.join(below);
            let holds = holds_a_credential(&path).map_err(reading(&path))?;
            return Ok(holds.then_some("it holds a credential"));
        }
        if parts().any(|part| part.starts_with('.')) && !is_of_a_manager(below) {
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

/// Whether a hidden file or directory is what an install needs, and no settings.
fn is_of_a_manager(below: &str) -> bool {
    let inside = |directory: &str| {
        below.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below == YARN || OF_YARN.into_iter().any(inside) || OF_PNPM.contains(&below)
}

/// Why something stays out of the dependencies; `below` is its path below their directory.
pub(super) fn reason_to_leave_out_of_dependencies(
    path: &Path,
    below: &str,
) -> Option<&'static str> {
    // Links, which a package cannot hold; they are made where it is built.
    if path.file_name().is_some_and(|name| name == ".bin") {
        Some(LINKS)
    } else if NOTES.contains(&below) {
        Some(NOTED)
    } else {
        is_leaving(path).then_some(OF_NODE_GYP)
    }
}

fn holds_a_credential(path: &Path) -> io::Result<bool> {
    let mut text = Vec::new();
    File::open(path)?.take(MOST_SETTINGS).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let credential = |line: &str| {
        let (name, value) = line.split_once(['=', ' ']).or_else(|| line.split_once(':'))?;
        let name = name.trim().trim_end_matches(':').trim_matches('"');
        let names = CREDENTIALS.iter().any(|credential| name.ends_with(credential));
        let value = value.trim().trim_matches('"');
        Some(names && !value.is_empty() && !value.contains("${"))
    };
    Ok(text.lines().any(|line| credential(line.trim()).unwrap_or(false) || has_in_url(line)))
}

/// Whether somebody is named in a URL, to whom it is opened.
fn has_in_url(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', '"', '\'', ' ']).next().unwrap_or(rest);
        authority.rsplit_once('@').is_some_and(|(user, _)| !user.contains("${"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_only_its_owner_should_know() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("settings");
        for (text, holds) in [
            ("registry=https://registry.example\nsave-exact=true\n", false),
            ("//registry.example/:_authToken=${NPM_TOKEN}\n", false),
            ("//registry.example/:_authToken=npm_abc\n", true),
            ("_auth = YWJj\n", true),
            ("registry=https://user:pw@registry.example/\n", true),
            ("https-proxy=http://u:p@proxy:1\n", true),
            ("httpsProxy: \"http://token@proxy:1\"\n", true),
            ("https-proxy=http://${USER}:${PASSWORD}@proxy:1\n", false),
            ("registry=https://registry.example/@scope/\n", false),
            ("//registry.example/:_password=\"YWJj\"\n", true),
            ("npmRegistryServer: \"https://x\"\nnpmAuthToken: abc\n", true),
            ("npmAuthToken: \"${NPM_TOKEN}\"\n", false),
            ("\"//registry.example/:_authToken\" abc\n", true),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(holds_a_credential(&file).unwrap(), holds, "{text}");
        }
    }
}
