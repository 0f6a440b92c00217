//! What of a developer's directory goes into a package, and what stays out.

mod collector;
mod dependencies;
mod earlier;
mod elsewhere;
mod error;
mod go_module;
mod java_project;
mod node_project;
mod program;
mod vendored;

use std::path::Path;

use selvedge_package::{CONNECTION_FILE, IMAGE_FILE};

use super::misplaced::{MISPLACED, is_misplaced_index};
use super::{ChaincodeType, Elsewhere, Remark, install_scripts};
use crate::golang::GoChaincode;
use crate::java::JavaProject;
use crate::node::NodeProject;

pub use self::collector::{DraftFile, LeftOut};
pub use self::dependencies::Dependencies;
pub use self::error::DraftError;

use self::collector::{Collected, collect};
use self::error::reading;
use self::go_module::GoRules;
use self::java_project::JavaRules;
use self::node_project::NodeRules;

/// What there is to know about a chaincode whose dependencies nothing fixes.
const NO_LOCK_FILE: &str = "no lock file goes with it: each peer may get other versions of what it \
                            depends on; `npm install` writes package-lock.json";

/// A package's content before it is written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The language or kind that was found.
    pub kind: ChaincodeType,
    /// The metadata's `path`.
    pub path: String,
    /// The code's files, sorted by their path in the package.
    pub files: Vec<DraftFile>,
    /// What was left out, sorted.
    pub left_out: Vec<LeftOut>,
    /// What its author may not have meant, sorted; files by their path below the module's
    /// directory.
    pub remarks: Vec<Remark>,
    /// Where the chaincode is, if its code is not here.
    pub elsewhere: Option<Elsewhere>,
}

impl Draft {
    /// Finds out the language of the chaincode in `directory`, or that it is elsewhere or compiled
    /// already, and lists what belongs to it. A file is a program.
    pub fn collect(directory: &Path, dependencies: Dependencies) -> Result<Self, DraftError> {
        if directory.is_file() {
            program::of_file(directory).map(Self::of_program)
        } else if let Some(elsewhere) = elsewhere::told_in(directory)? {
            Self::of_elsewhere(directory, elsewhere)
        } else if node_project::is_in(directory) {
            Self::of_node(directory, dependencies)
        } else if java_project::is_in(directory)? {
            Self::of_java(directory)
        } else if let Some(name) = program::is_in(directory)? {
            program::of_directory(directory, &name).map(Self::of_program)
        } else {
            Self::of_go(&GoChaincode::open(directory)?, dependencies)
        }
    }

    fn of_go(chaincode: &GoChaincode, dependencies: Dependencies) -> Result<Self, DraftError> {
        if dependencies == Dependencies::Installed {
            chaincode.expect_complete()?;
        }
        let root = &chaincode.module_root;
        let Collected { files, left_out } = collect(root, &GoRules::of(chaincode)?)?;
        let misplaced = files.iter().map(|file| &file.path).filter(|path| is_misplaced_index(path));
        let misplaced = misplaced.map(|path| Remark {
            file: path.as_str().strip_prefix("src/").unwrap_or(path.as_str()).to_owned(),
            text: MISPLACED.to_owned(),
        });
        let mut remarks: Vec<Remark> = misplaced.chain(sources(chaincode)).collect();
        remarks.sort_by(|a, b| a.file.cmp(&b.file));
        let (kind, path) = (ChaincodeType::Golang, chaincode.import_path.clone());
        Ok(Self { kind, path, files, left_out, remarks, elsewhere: None })
    }

    /// Makes sure that what goes in is a chaincode, and says so if its dependencies are not fixed.
    fn of_node(directory: &Path, dependencies: Dependencies) -> Result<Self, DraftError> {
        let root = directory.canonicalize().map_err(reading(directory))?;
        let rules = NodeRules { root: &root, dependencies };
        let Collected { files, left_out } = collect(&root, &rules)?;
        let paths = files.iter().map(|file| file.path.clone()).collect();
        let project = NodeProject::find(&paths, &root)?;
        let (file, text) = ("package.json".to_owned(), NO_LOCK_FILE.to_owned());
        let open = project.is_open().then_some(Remark { file, text });
        let scripted = match dependencies {
            Dependencies::Installed => install_scripts::remark(&root),
            // They have run.
            Dependencies::Packed => None,
        };
        let remarks = open.into_iter().chain(scripted).collect();
        // Whatever it is called where it was packaged: it means nothing to anybody.
        let (kind, path) = (ChaincodeType::Node, ".".to_owned());
        Ok(Self { kind, path, files, left_out, remarks, elsewhere: None })
    }

    /// Makes sure that what goes in is a chaincode.
    fn of_java(directory: &Path) -> Result<Self, DraftError> {
        let root = directory.canonicalize().map_err(reading(directory))?;
        let Collected { files, left_out } = collect(&root, &JavaRules { root: &root })?;
        let paths = files.iter().map(|file| file.path.clone()).collect();
        let on_disk = |path: &str| {
            let file = files.iter().find(|file| file.path.as_str() == path);
            file.map_or_else(|| root.join(path), |file| file.on_disk.clone())
        };
        JavaProject::find(&paths, on_disk)?;
        let (kind, path, remarks) = (ChaincodeType::Java, ".".to_owned(), Vec::new());
        Ok(Self { kind, path, files, left_out, remarks, elsewhere: None })
    }

    fn of_program(found: program::Found) -> Self {
        let program::Found { path, files, left_out, remarks } = found;
        Self { kind: ChaincodeType::Binary, path, files, left_out, remarks, elsewhere: None }
    }

    fn of_elsewhere(directory: &Path, elsewhere: Elsewhere) -> Result<Self, DraftError> {
        let root = directory.canonicalize().map_err(reading(directory))?;
        let Collected { files, left_out } = collect(&root, &elsewhere)?;
        Ok(Self {
            kind: elsewhere.kind(),
            path: String::new(),
            files,
            left_out,
            remarks: elsewhere.remark().into_iter().collect(),
            elsewhere: Some(elsewhere),
        })
    }
}

/// What goes in as source, and elsewhere says where a chaincode is.
fn sources(chaincode: &GoChaincode) -> impl Iterator<Item = Remark> {
    let kinds = [(CONNECTION_FILE, ChaincodeType::Ccaas), (IMAGE_FILE, ChaincodeType::K8s)];
    kinds.into_iter().filter_map(|(name, kind)| {
        let file = chaincode.directory.join(name);
        let below = file.strip_prefix(&chaincode.module_root).unwrap_or(&file);
        file.is_file().then(|| Remark {
            file: below.to_string_lossy().into_owned(),
            text: format!(
                "is source here, which no peer reads: in a directory of its own it makes a package \
                 of type {kind}"
            ),
        })
    })
}
