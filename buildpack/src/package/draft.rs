//! What of a developer's directory goes into a package, and what stays out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use selvedge_package::{MAX_INDEX_BYTES, META_INF, check_index};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::directory::{Dependencies, Directory};
use super::misplaced::{MISPLACED, is_misplaced_index};
use super::{CODE_FILE, ChaincodeType, IndexFault, METADATA_FILE, Remark};
use crate::archive::{ArchiveError, EntryFault, EntryPath, Limits, gunzip};
use crate::golang::GoChaincodeError;
use crate::node::{NodeError, NodeProject};

/// A package's content before it is written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The language that was found.
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
}

/// A file that goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftFile {
    /// Its path in the package.
    pub path: EntryPath,
    /// Where its content is.
    pub on_disk: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// A file or directory that does not go in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its path below the module's directory; a directory's ends in `/`.
    pub path: String,
    /// Why, as a person would say it.
    pub reason: &'static str,
}

/// Why a directory cannot be packaged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// It has no `package.json`, which would make it Node's, and is no Go chaincode either.
    #[error("no chaincode that Selvedge knows how to package")]
    Language(#[from] GoChaincodeError),
    /// It is no Node chaincode.
    #[error("no Node chaincode that Selvedge knows how to package")]
    Node(#[from] NodeError),
    /// Something could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file that no package may hold.
    #[error("{path} {fault}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: EntryFault,
    },
    /// A symbolic link that cannot be stored as the file it means.
    #[error(
        "{path} is a symbolic link to {target}; a package can only hold what a link means if that \
         is a regular file in the same module"
    )]
    Symlink {
        /// The link.
        path: PathBuf,
        /// Its target, as written.
        target: PathBuf,
    },
    /// A file in `META-INF` that a peer would not use.
    #[error("{path} {fault}")]
    MetaInf {
        /// Which.
        path: PathBuf,
        /// Why.
        fault: IndexFault,
    },
    /// Too much in the directory.
    #[error("{root} is too large for a package")]
    Oversize {
        /// The module's directory.
        root: PathBuf,
        /// Which limit.
        #[source]
        source: ArchiveError,
    },
}

impl Draft {
    /// Finds out the language of the chaincode in `directory` and lists what belongs to it.
    ///
    /// The rules are those of Fabric's packagers (`core/chaincode/platforms/golang/platform.go`,
    /// `findSource`; `node/platform.go`, `GetDeploymentPayload`): the whole module under `src/`, the
    /// chaincode's own `META-INF` at the top; of Node no dependencies. But of what is hidden, only
    /// what the code needs goes in: secrets are kept in such files, and some appear by themselves,
    /// which would change the package ID. Packages of earlier days stay out, too.
    pub fn collect(directory: &Path, dependencies: Dependencies) -> Result<Self, DraftError> {
        let mut collector = Collector::new(Directory::open(directory, dependencies)?);
        let root = collector.directory.root.clone();
        let mut walk = WalkDir::new(&root).min_depth(1).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| DraftError::Read {
                path: error.path().unwrap_or(&root).to_owned(),
                source: error.into(),
            })?;
            let is_directory = entry.file_type().is_dir();
            if let Some(reason) = collector.reason_to_leave_out(&entry)? {
                collector.leave_out(&entry, reason);
                if is_directory {
                    walk.skip_current_dir();
                }
            } else if !is_directory {
                collector.take(&entry)?;
            }
        }
        collector.draft()
    }
}

struct Collector {
    directory: Directory,
    meta_inf: PathBuf,
    bytes: u64,
    files: BTreeMap<EntryPath, DraftFile>,
    left_out: Vec<LeftOut>,
}

impl Collector {
    fn new(directory: Directory) -> Self {
        Self {
            meta_inf: directory.chaincode.join(META_INF),
            directory,
            bytes: 0,
            files: BTreeMap::new(),
            left_out: Vec::new(),
        }
    }

    /// Its path below the module's directory.
    fn below<'a>(&self, entry: &'a DirEntry) -> Cow<'a, str> {
        entry.path().strip_prefix(&self.directory.root).unwrap_or(entry.path()).to_string_lossy()
    }

    fn reason_to_leave_out(&self, entry: &DirEntry) -> Result<Option<&'static str>, DraftError> {
        let below = self.below(entry);
        let is_directory = entry.file_type().is_dir();
        let is_meta_inf = entry.path().starts_with(&self.meta_inf);
        let reason = self.directory.reason_to_leave_out(&below, is_directory, is_meta_inf);
        if let Some(reason) = reason.map_err(reading(entry.path()))? {
            return Ok(Some(reason));
        }
        let name = entry.file_name().as_encoded_bytes();
        let archive = name.ends_with(b".tar.gz") || name.ends_with(b".tgz");
        if entry.file_type().is_file() && archive && is_package(entry.path())? {
            return Ok(Some("a chaincode package"));
        }
        Ok(None)
    }

    fn leave_out(&mut self, entry: &DirEntry, reason: &'static str) {
        let slash = if entry.file_type().is_dir() { "/" } else { "" };
        let path = format!("{}{slash}", self.below(entry).escape_debug());
        self.left_out.push(LeftOut { path, reason });
    }

    fn take(&mut self, entry: &DirEntry) -> Result<(), DraftError> {
        let on_disk = self.regular_file(entry)?;
        let size = fs::metadata(&on_disk).map_err(reading(&on_disk))?.len();
        let path = self.path_in_package(entry)?;
        if path.as_str().split('/').next() == Some(META_INF) {
            check_meta_inf(&path, &on_disk, size)?;
        }
        self.bytes += size;
        let file = DraftFile { path: path.clone(), on_disk, size };
        self.files.insert(path, file);
        self.check_limits()
    }

    /// What the entry is, or what it links to.
    fn regular_file(&self, entry: &DirEntry) -> Result<PathBuf, DraftError> {
        let path = entry.path();
        if entry.file_type().is_file() {
            return Ok(path.to_owned());
        }
        if !entry.file_type().is_symlink() {
            return Err(DraftError::File {
                path: path.to_owned(),
                fault: EntryFault::Special('?'),
            });
        }
        match path.canonicalize() {
            Ok(target) if target.is_file() && target.starts_with(&self.directory.root) => {
                Ok(target)
            }
            _ => Err(DraftError::Symlink {
                path: path.to_owned(),
                target: fs::read_link(path).map_err(reading(path))?,
            }),
        }
    }

    fn path_in_package(&self, entry: &DirEntry) -> Result<EntryPath, DraftError> {
        let path = entry.path();
        let (top, below) = match path.strip_prefix(&self.meta_inf) {
            Ok(below) => ("META-INF/", below),
            Err(_) => ("src/", path.strip_prefix(&self.directory.root).unwrap_or(path)),
        };
        let name = [top.as_bytes(), below.as_os_str().as_encoded_bytes()].concat();
        EntryPath::parse(&name).map_err(|fault| DraftError::File { path: path.to_owned(), fault })
    }

    fn check_limits(&self) -> Result<(), DraftError> {
        let Limits { bytes, entries } = Limits::SOURCE;
        let source = if self.bytes > bytes {
            ArchiveError::TooLarge { limit: bytes }
        } else if self.files.len() > entries {
            ArchiveError::TooManyEntries { limit: entries }
        } else {
            return Ok(());
        };
        Err(DraftError::Oversize { root: self.directory.root.clone(), source })
    }

    fn draft(mut self) -> Result<Draft, DraftError> {
        let open = self.is_open()?;
        self.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        let misplaced = self.files.keys().filter(|path| is_misplaced_index(path));
        let remarks = misplaced.map(|path| Remark {
            file: path.as_str().strip_prefix("src/").unwrap_or(path.as_str()).to_owned(),
            text: MISPLACED.to_owned(),
        });
        Ok(Draft {
            remarks: remarks.chain(open).collect(),
            kind: self.directory.kind,
            path: self.directory.path,
            files: self.files.into_values().collect(),
            left_out: self.left_out,
        })
    }

    /// Makes sure that what goes in of Node is a chaincode, and says so if its dependencies are not
    /// fixed.
    fn is_open(&self) -> Result<Option<Remark>, DraftError> {
        if self.directory.kind != ChaincodeType::Node {
            return Ok(None);
        }
        let files = self.files.keys().cloned().collect();
        let project = NodeProject::find(&files, &self.directory.root)?;
        let (file, text) = ("package.json".to_owned(), NO_LOCK_FILE.to_owned());
        Ok(project.is_open().then_some(Remark { file, text }))
    }
}

/// What there is to know about a chaincode whose dependencies nothing fixes.
const NO_LOCK_FILE: &str = "no lock file goes with it: each peer may get other versions of what it \
                            depends on; `npm install` writes package-lock.json";

/// Whether the file is a chaincode package, which would otherwise end up in the next one: the
/// usual place to write a package is the directory it was made from.
fn is_package(path: &Path) -> Result<bool, DraftError> {
    let file = File::open(path).map_err(reading(path))?;
    let Ok(unpacked) = gunzip(file) else {
        return Ok(false);
    };
    let mut first = Vec::new();
    if unpacked.take(512).read_to_end(&mut first).is_err() || first.len() < 512 {
        return Ok(false);
    }
    let name = tar::Header::from_byte_slice(&first).path_bytes().into_owned();
    Ok([METADATA_FILE, CODE_FILE].iter().any(|file| name == file.as_bytes()))
}

/// As Fabric's packagers do: what they refuse, nobody could package with them either.
fn check_meta_inf(path: &EntryPath, on_disk: &Path, size: u64) -> Result<(), DraftError> {
    let checked = if size > MAX_INDEX_BYTES {
        Err(IndexFault::Oversize)
    } else {
        let content = fs::read(on_disk).map_err(reading(on_disk))?;
        check_index(path.as_str(), &content)
    };
    checked.map_err(|fault| DraftError::MetaInf { path: on_disk.to_owned(), fault })
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> DraftError {
    let path = path.to_owned();
    |source| DraftError::Read { path, source }
}
