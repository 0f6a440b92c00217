//! A chaincode in a developer's directory, of whatever language, and what of it stays out of a
//! package.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{ChaincodeType, DraftError};
use crate::golang::{Embeds, GoChaincode};

/// What is to be packaged.
pub(super) struct Directory {
    /// The language.
    pub(super) kind: ChaincodeType,
    /// The metadata's `path`.
    pub(super) path: String,
    /// The directory that becomes `src`.
    pub(super) root: PathBuf,
    /// The one of them that has the chaincode's own `META-INF`.
    pub(super) chaincode: PathBuf,
    rules: Rules,
}

/// Whether dependencies go in that could be installed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependencies {
    /// They stay out, as Fabric's packager has it.
    Installed,
    /// They go in, for builds without a network.
    Packed,
}

/// What a language says of files that would stay out, or go in.
enum Rules {
    /// Hidden files go in that the code embeds.
    Golang(Embeds),
    /// Hidden files stay out but the package managers' settings, and dependencies as it is wanted.
    Node(Dependencies),
}

/// The settings of package managers, as far as they are hidden files at the top.
const SETTINGS: &[&str] = &[".npmrc", ".yarnrc", ".yarnrc.yml"];

/// By which words such settings hold what only their owner should know; what refers to a variable
/// of the environment is none.
const CREDENTIALS: &[&str] = &["_auth", "_authToken", "_password", "npmAuthToken", "npmAuthIdent"];

/// The most of such settings that is read, in bytes.
const MOST_SETTINGS: u64 = 1 << 20;

/// Where Node's dependencies are.
const NODE_MODULES: &str = "node_modules";

const HIDDEN: &str = "hidden";
const INSTALLED: &str = "dependencies, which are installed where it is built";
const LINKS: &str = "links to programs, which are made where it is built";

impl Directory {
    /// Finds out the language. What has a `go.mod` and a `package.json` is Go's: many a module has
    /// the latter for its tools.
    pub(super) fn open(directory: &Path, dependencies: Dependencies) -> Result<Self, DraftError> {
        let is_node =
            directory.join("package.json").is_file() && !directory.join("go.mod").is_file();
        if is_node {
            let root = directory
                .canonicalize()
                .map_err(|source| DraftError::Read { path: directory.to_owned(), source })?;
            // Whatever it is called where it was packaged: it means nothing to anybody.
            let (kind, path) = (ChaincodeType::Node, ".".to_owned());
            let (chaincode, rules) = (root.clone(), Rules::Node(dependencies));
            return Ok(Self { kind, path, root, chaincode, rules });
        }
        let chaincode = GoChaincode::open(directory)?;
        Ok(Self {
            kind: ChaincodeType::Golang,
            path: chaincode.import_path,
            rules: Rules::Golang(Embeds::below(&chaincode.module_root)?),
            root: chaincode.module_root,
            chaincode: chaincode.directory,
        })
    }

    /// Why a file or directory stays out, which is called `below` seen from the root; none if it goes
    /// in. What belongs to `META-INF` is never wanted by the code.
    pub(super) fn reason_to_leave_out(
        &self,
        below: &str,
        is_directory: bool,
        is_meta_inf: bool,
    ) -> io::Result<Option<&'static str>> {
        let parts = || below.split('/');
        let is_hidden = parts().any(|part| part.starts_with('.'));
        match &self.rules {
            Rules::Golang(embeds) => {
                let embedded = if is_directory { Embeds::reach } else { Embeds::take };
                let goes_in = !is_hidden || (!is_meta_inf && embedded(embeds, below));
                Ok((!goes_in).then_some(HIDDEN))
            }
            // At whatever depth: each member of a workspace may have some
            // (`core/chaincode/platforms/node/platform.go`, `GetDeploymentPayload`).
            Rules::Node(dependencies) if parts().any(|part| part == NODE_MODULES) => {
                Ok(match dependencies {
                    Dependencies::Installed => is_directory.then_some(INSTALLED),
                    // Links, which a package cannot hold; they are made where it is built.
                    Dependencies::Packed => parts().any(|part| part == ".bin").then_some(LINKS),
                })
            }
            Rules::Node(_) if SETTINGS.contains(&below) && !is_directory => {
                let holds = holds_a_credential(&self.root.join(below))?;
                Ok(holds.then_some("it holds a credential"))
            }
            Rules::Node(_) => Ok(is_hidden.then_some(HIDDEN)),
        }
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
    Ok(text.lines().any(|line| credential(line.trim()).unwrap_or(false)))
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
