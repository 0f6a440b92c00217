//! What of a Node chaincode's source can be told before it is built.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::files::{DIRECTORY, has, has_directory, normal};
use super::manager::{LOCK_FILES, Manager};
use super::package_json::{MAX_BYTES, PackageJson};
use super::places::{self, Outside};
use super::start::Launch;
use crate::archive::EntryPath;
use crate::source::Source;

/// The file that makes it one.
const PACKAGE_JSON: &str = "src/package.json";

/// What of a lock file is read, in bytes, to know whose it is.
const LOCK_FILE_BEGINNING: u64 = 4 << 10;

/// A Node chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeProject {
    /// How it is started.
    pub(super) launch: Launch,
    /// What installs its dependencies.
    pub(super) manager: Manager,
    /// Whether it brings them along.
    pub(super) packed: Option<Packed>,
    /// What is started and not there yet, as far as that can be told.
    pub(super) made: Option<Made>,
    /// What an install makes links to, for people.
    pub(super) linked: Option<String>,
}

/// A file that a script makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// Its name, as the package says it.
    pub(super) file: String,
    /// What makes it.
    pub(super) by: MadeBy,
}

/// Which script makes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MadeBy {
    /// `build`.
    Build,
    /// One of those that go with an install, as it may: nobody else can tell.
    Install,
}

/// The scripts of a package that are run when its dependencies are installed (npm-scripts(7)).
const AT_INSTALL: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// Dependencies in the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// Whether the links to their programs were left out: a package holds no links.
    pub(super) without_programs: bool,
}

/// Why Node source cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// No `package.json` at the top of the code.
    #[error(
        "the code holds no {PACKAGE_JSON}; package the directory that holds the chaincode's \
         package.json"
    )]
    NoPackageJson,
    /// Windows' separator, which is a letter of a name to everyone else.
    #[error(
        "the code has names with backslashes, such as `{}`: it was packaged on Windows by a tool \
         that writes no `/`; package it again with another", .0.escape_debug()
    )]
    Backslashes(String),
    /// More bytes than are read.
    #[error("{PACKAGE_JSON} is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not what npm reads.
    #[error("{PACKAGE_JSON} is not a package.json: {0}")]
    Malformed(serde_json::Error),
    /// Nothing to start.
    #[error(
        "{PACKAGE_JSON} has no script `start`; add \"start\": \"fabric-chaincode-node start\" to \
         its scripts, and `fabric-shim` to its dependencies"
    )]
    NoStart,
    /// The shim's launcher would not know what to load.
    #[error(
        "{PACKAGE_JSON} has no `main`, which names the file that `fabric-chaincode-node start` loads"
    )]
    NoMain,
    /// What is started is not there, and nothing makes it.
    #[error(
        "{PACKAGE_JSON} starts `{file}`, which is not in the package, and has no script `build` to \
         make it; package the compiled code, or add the script (for TypeScript \"build\": \"tsc\")",
        file = .0.escape_debug()
    )]
    Missing(String),
    /// Dependencies that only whoever packaged it has.
    #[error(
        "{PACKAGE_JSON} takes `{name}` from `{place}`, which is no part of the package; package the \
         directory above with workspaces, or publish it to a registry",
        name = .name.escape_debug(), place = .place.escape_debug()
    )]
    Outside {
        /// The dependency.
        name: String,
        /// Where it is said to be.
        place: String,
    },
    /// `build` made something else.
    #[error("the script `build` did not make `{}`, which {PACKAGE_JSON} starts", .0.escape_debug())]
    NotBuilt(String),
    /// What runs at an install did not make it either.
    #[error(
        "{PACKAGE_JSON} starts `{file}`, which is not in the package, and no script that runs at an \
         install made it; package the compiled code, or add a script `build`",
        file = .0.escape_debug()
    )]
    NotMade(String),
    /// The shim is not among what was installed.
    #[error("the dependencies that were installed hold no {0}, which starts the chaincode")]
    NoShim(&'static str),
    /// Its package manager makes links in `node_modules`, which a package cannot hold.
    #[error(
        "its dependencies are {0}'s, and only npm's can be taken along: install them into \
         node_modules without links, and package again"
    )]
    VendoredBy(&'static str),
    /// What was compiled with native modules cannot be told from the modules.
    #[error("cannot remove what node-gyp left beside native modules: {0}")]
    Leavings(io::Error),
    /// npm makes links to what lies in the package.
    #[error(
        "{0} cannot be taken along: npm makes links to them, and a package holds none; package it \
         without --vendor, or publish them to a registry"
    )]
    Linked(String),
    /// A file of the source cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl NodeProject {
    /// Finds out what a source is, and makes sure that it can be a chaincode: of a package that
    /// somebody made by hand, by the one who inspects it as by the one who builds it.
    pub(super) fn open(source: &Source) -> Result<Self, NodeError> {
        Self::find(&source.paths(), &source.root().join(DIRECTORY))
    }

    /// As [`NodeProject::open`], of what is to go into a package: `files` by their paths there, whose
    /// code lies in the directory `code`.
    pub(crate) fn find(files: &BTreeSet<EntryPath>, code: &Path) -> Result<Self, NodeError> {
        let package = Self::package(files, code)?;
        let manager = match LOCK_FILES.iter().find(|name| has(files, name)) {
            Some(name) => {
                let text = read(&code.join(name), LOCK_FILE_BEGINNING)?;
                Manager::of(name, &String::from_utf8_lossy(&text))
            }
            None => Manager::Npm,
        };
        Self::of(&package, manager, files)
    }

    /// What its `package.json` says.
    pub(super) fn package(
        files: &BTreeSet<EntryPath>,
        code: &Path,
    ) -> Result<PackageJson, NodeError> {
        if !files.contains(PACKAGE_JSON) {
            let windows = files.iter().find(|file| file.as_str().ends_with("\\package.json"));
            return Err(windows.map_or(NodeError::NoPackageJson, |name| {
                NodeError::Backslashes(name.to_string())
            }));
        }
        let text = read(&code.join("package.json"), MAX_BYTES + 1)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(NodeError::TooLarge);
        }
        PackageJson::parse(&text).map_err(NodeError::Malformed)
    }

    /// Whether the script `build` is run.
    pub(super) fn is_built(&self) -> bool {
        self.made.as_ref().is_some_and(|made| made.by == MadeBy::Build)
    }

    /// Whether what is installed may be another on another day.
    pub(crate) fn is_open(&self) -> bool {
        self.manager == Manager::Npm && self.packed.is_none()
    }

    /// What files with this `package.json` among them are.
    fn of(
        package: &PackageJson,
        manager: Manager,
        files: &BTreeSet<EntryPath>,
    ) -> Result<Self, NodeError> {
        let launch = Launch::of(package, has(files, "server.js")).ok_or(NodeError::NoStart)?;
        let packed = has_directory(files, "node_modules")
            .then(|| Packed { without_programs: !has_directory(files, "node_modules/.bin") });
        if packed.is_none()
            && let Some(Outside { name, place }) = places::outside(package, files)
        {
            return Err(NodeError::Outside { name, place });
        }
        let started = match &launch {
            // With `--module-path` it is loaded from elsewhere.
            Launch::Shim(command) if command.len() > 1 => package.main.as_deref(),
            Launch::Shim(_) => Some(package.main.as_deref().ok_or(NodeError::NoMain)?),
            Launch::Npm { file } => file.as_deref(),
        };
        let missing = started.filter(|file| !is_module(files, file)).map(str::to_owned);
        let certain = matches!(&launch, Launch::Shim(command) if command.len() == 1);
        // What is packed is used as it is, and nothing installed.
        let at_install =
            packed.is_none() && AT_INSTALL.iter().any(|name| package.script(name).is_some());
        let made = match (missing, package.script("build")) {
            (Some(file), Some(_)) => Some(Made { file, by: MadeBy::Build }),
            // Only of the shim's launcher is it known for sure what it loads.
            (Some(file), None) if certain && at_install => Some(Made { file, by: MadeBy::Install }),
            (Some(file), None) if certain => return Err(NodeError::Missing(file)),
            _ => None,
        };
        let linked = places::linked(package, files);
        Ok(Self { launch, manager, packed, made, linked })
    }
}

/// Whether node finds a module by this name, seen from the chaincode's directory
/// (`LOAD_AS_FILE` and `LOAD_AS_DIRECTORY` in Node's documentation of modules).
fn is_module(files: &BTreeSet<EntryPath>, name: &str) -> bool {
    let name = normal(name);
    let endings = ["", ".js", ".json", ".node", "/index.js", "/index.json", "/index.node"];
    endings.iter().any(|ending| has(files, format!("{name}{ending}").trim_start_matches('/')))
}

/// The beginning of a file.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, NodeError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut text))
        .map_err(|source| NodeError::Read { path: path.to_owned(), source })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(files: &[(&str, &str)]) -> Result<NodeProject, NodeError> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        NodeProject::open(&Source::open(directory.path()).unwrap())
    }

    fn package(more: &str) -> String {
        format!(
            r#"{{"scripts": {{"start": "fabric-chaincode-node start"{more},
                "dependencies": {{"fabric-shim": "2.5.8"}}}}"#
        )
    }

    #[test]
    fn plain_javascript() {
        let text = package(r#"}, "main": "index.js""#);
        let project = open(&[("src/package.json", &text), ("src/index.js", "")]).unwrap();
        let expected = NodeProject {
            launch: Launch::Shim(vec!["start".to_owned()]),
            manager: Manager::Npm,
            packed: None,
            made: None,
            linked: None,
        };
        assert_eq!(project, expected);
    }

    #[test]
    fn what_is_built_and_what_is_there() {
        let text = package(r#", "build": "tsc"}, "main": "./dist/index.js""#);
        let files = [("src/package.json", text.as_str()), ("src/src/index.ts", "")];
        let lock = ("src/package-lock.json", "{}");
        let project = open(&[files[0], files[1], lock]).unwrap();
        let file = "./dist/index.js".to_owned();
        assert_eq!(project.made, Some(Made { file, by: MadeBy::Build }));
        assert_eq!(project.manager, Manager::NpmLocked);
        let compiled = [files[0], files[1], ("src/dist/index.js", "")];
        assert_eq!(open(&compiled).unwrap().made, None);
        let text = package(r#", "build": "tsc"}, "main": "dist""#);
        assert_eq!(open(&[("src/package.json", &text), compiled[2]]).unwrap().made, None);
    }

    #[test]
    fn what_is_compiled_at_the_install_is_looked_for_after_it() {
        for script in AT_INSTALL {
            let text = package(&format!(r#", "{script}": "tsc"}}, "main": "dist/index.js""#));
            let files = [("src/package.json", text.as_str()), ("src/index.ts", "")];
            let file = "dist/index.js".to_owned();
            let made = Some(Made { file, by: MadeBy::Install });
            assert_eq!(open(&files).unwrap().made, made, "{script}");
            let packed = [files[0], files[1], ("src/node_modules/fabric-shim/cli.js", "")];
            let refused = open(&packed).unwrap_err().to_string();
            assert!(refused.contains("which is not in the package"), "{refused}");
        }
    }

    #[test]
    fn dependencies_in_the_package() {
        let text = package(r#"}, "main": "index.js""#);
        let files = [("src/package.json", text.as_str()), ("src/index.js", "")];
        let shim = ("src/node_modules/fabric-shim/cli.js", "");
        let packed = |files: &[(&str, &str)]| open(files).unwrap().packed;
        let without = Some(Packed { without_programs: true });
        assert_eq!(packed(&[files[0], files[1], shim]), without);
        let program = ("src/node_modules/.bin/fabric-chaincode-node", "");
        let with = Some(Packed { without_programs: false });
        assert_eq!(packed(&[files[0], files[1], shim, program]), with);
    }

    #[test]
    fn what_is_refused_by_name() {
        let no_build = package(r#"}, "main": "dist/index.js""#);
        let no_main = package("}");
        let large = format!("{}{}", " ".repeat(1 << 20), package("}"));
        let outside = package(r#"}, "main": "x", "devDependencies": {"a": "file:../a"}"#);
        for (files, reason) in [
            (&[("src/index.js", "")][..], "holds no src/package.json"),
            (
                &[("src\\package.json", "{}")],
                r"names with backslashes, such as `src\\package.json`",
            ),
            (&[("src/package.json", "{")], "src/package.json is not a package.json: EOF"),
            (&[("src/package.json", &large)], "is larger than 1048576 bytes"),
            (&[("src/package.json", "{}")], "no script `start`; add"),
            (&[("src/package.json", &no_main)], "has no `main`"),
            (&[("src/package.json", &no_build)], "starts `dist/index.js`, which is not in"),
            (&[("src/package.json", &outside)], "takes `a` from `file:../a`, which is no part"),
        ] {
            let error = open(files).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
