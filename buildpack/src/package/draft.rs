//! What of a developer's directory goes into a package, and what stays out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use selvedge_package::{IMAGE_FILE, MAX_INDEX_BYTES, META_INF, check_index};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::misplaced::{MISPLACED, is_misplaced_index};
use super::{CODE_FILE, ChaincodeType, IndexFault, METADATA_FILE, Remark};
use crate::archive::{ArchiveError, EntryFault, EntryPath, Limits, gunzip};
use crate::golang::{Embeds, GoChaincode, GoChaincodeError, is_source};
use crate::named_image::{NamedImage, NamedImageError};

/// A package's content before it is written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The language that was found.
    pub kind: ChaincodeType,
    /// The metadata's `path`.
    pub path: String,
    /// The image that is named instead of code, if one is.
    pub image: Option<NamedImage>,
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
    /// It is no Go chaincode, the one language so far.
    #[error("no chaincode that Selvedge knows how to package")]
    Language(#[from] GoChaincodeError),
    /// It names an image, but not rightly.
    #[error("{directory} names no image that Selvedge could run")]
    Image {
        /// The directory.
        directory: PathBuf,
        /// Why.
        #[source]
        source: NamedImageError,
    },
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
    /// Finds out what the chaincode in `directory` is and lists what belongs to it.
    ///
    /// A directory with an `image.json`, and no Go in it, names an image: that file and `META-INF`
    /// go in, at the top, where fabric-builder-k8s looks for them. For Go the rules are those of
    /// Fabric's packager (`core/chaincode/platforms/golang/platform.go`, `findSource`): the whole
    /// module under `src/`, the chaincode's own `META-INF` at the top. But of what is hidden, only
    /// what the code embeds goes in: secrets are kept in such files, and some appear by themselves,
    /// which would change the package ID. Packages of earlier days stay out, too.
    pub fn collect(directory: &Path) -> Result<Self, DraftError> {
        if let Some(image) = named_image(directory)? {
            let files = Collector::of_image(directory)?.walk()?;
            return Ok(files.draft(ChaincodeType::K8s, String::new(), Some(image)));
        }
        let chaincode = GoChaincode::open(directory)?;
        let files = Collector::of_go(&chaincode)?.walk()?;
        Ok(files.draft(ChaincodeType::Golang, chaincode.import_path, None))
    }
}

/// The image that a directory names, if that is what it is for.
fn named_image(directory: &Path) -> Result<Option<NamedImage>, DraftError> {
    let file = directory.join(IMAGE_FILE);
    if !file.is_file() || has_go(directory)? {
        return Ok(None);
    }
    let json = fs::read(&file).map_err(reading(&file))?;
    let failed = |source| DraftError::Image { directory: directory.to_owned(), source };
    NamedImage::parse(&json).map(Some).map_err(failed)
}

fn has_go(directory: &Path) -> Result<bool, DraftError> {
    for entry in fs::read_dir(directory).map_err(reading(directory))? {
        let name = entry.map_err(reading(directory))?.file_name();
        if name == "go.mod" || is_source(&name.to_string_lossy()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What belongs to a chaincode besides its `META-INF`.
enum Belongings {
    /// A whole module, below `src`; of what is hidden, what it embeds.
    Module(Embeds),
    /// The file that names an image.
    Image,
}

impl Belongings {
    /// Where in the package they are.
    fn top(&self) -> &'static str {
        match self {
            Self::Module(_) => "src/",
            Self::Image => "",
        }
    }
}

struct Collector {
    root: PathBuf,
    meta_inf: PathBuf,
    belongings: Belongings,
    bytes: u64,
    files: BTreeMap<EntryPath, DraftFile>,
    left_out: Vec<LeftOut>,
}

impl Collector {
    fn of_go(chaincode: &GoChaincode) -> Result<Self, DraftError> {
        let root = chaincode.module_root.clone();
        let belongings = Belongings::Module(Embeds::below(&root)?);
        Ok(Self::new(root, &chaincode.directory, belongings))
    }

    fn of_image(directory: &Path) -> Result<Self, DraftError> {
        let root = directory.canonicalize().map_err(reading(directory))?;
        Ok(Self::new(root.clone(), &root, Belongings::Image))
    }

    fn new(root: PathBuf, directory: &Path, belongings: Belongings) -> Self {
        Self {
            root,
            meta_inf: directory.join(META_INF),
            belongings,
            bytes: 0,
            files: BTreeMap::new(),
            left_out: Vec::new(),
        }
    }

    fn walk(mut self) -> Result<Self, DraftError> {
        let mut walk = WalkDir::new(&self.root).min_depth(1).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| DraftError::Read {
                path: error.path().unwrap_or(&self.root).to_owned(),
                source: error.into(),
            })?;
            let is_directory = entry.file_type().is_dir();
            if let Some(reason) = self.reason_to_leave_out(&entry)? {
                self.leave_out(&entry, reason);
                if is_directory {
                    walk.skip_current_dir();
                }
            } else if !is_directory {
                self.take(&entry)?;
            }
        }
        Ok(self)
    }

    /// Its path below the module's directory.
    fn below<'a>(&self, entry: &'a DirEntry) -> Cow<'a, str> {
        entry.path().strip_prefix(&self.root).unwrap_or(entry.path()).to_string_lossy()
    }

    fn reason_to_leave_out(&self, entry: &DirEntry) -> Result<Option<&'static str>, DraftError> {
        let below = self.below(entry);
        let is_directory = entry.file_type().is_dir();
        let is_embedded = || match &self.belongings {
            Belongings::Module(embeds) => {
                let embedded = if is_directory { Embeds::reach } else { Embeds::take };
                !entry.path().starts_with(&self.meta_inf) && embedded(embeds, &below)
            }
            Belongings::Image => false,
        };
        if below.split('/').any(|part| part.starts_with('.')) && !is_embedded() {
            return Ok(Some("hidden"));
        }
        let name = entry.file_name().as_encoded_bytes();
        let archive = name.ends_with(b".tar.gz") || name.ends_with(b".tgz");
        if entry.file_type().is_file() && archive && is_package(entry.path())? {
            return Ok(Some("a chaincode package"));
        }
        if matches!(self.belongings, Belongings::Image)
            && below != IMAGE_FILE
            && !entry.path().starts_with(&self.meta_inf)
        {
            return Ok(Some("neither image.json nor in META-INF"));
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
            Ok(target) if target.is_file() && target.starts_with(&self.root) => Ok(target),
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
            Err(_) => (self.belongings.top(), path.strip_prefix(&self.root).unwrap_or(path)),
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
        Err(DraftError::Oversize { root: self.root.clone(), source })
    }

    fn draft(mut self, kind: ChaincodeType, path: String, image: Option<NamedImage>) -> Draft {
        self.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        let misplaced = self.files.keys().filter(|path| is_misplaced_index(path));
        let remarks = misplaced.map(|path| Remark {
            file: path.as_str().strip_prefix("src/").unwrap_or(path.as_str()).to_owned(),
            text: MISPLACED.to_owned(),
        });
        Draft {
            remarks: remarks.collect(),
            kind,
            path,
            image,
            files: self.files.into_values().collect(),
            left_out: self.left_out,
        }
    }
}

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
