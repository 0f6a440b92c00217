//! The files below a directory, each taken into a package or left out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use selvedge_package::{IndexFault, MAX_INDEX_BYTES, META_INF, check_index};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::error::{DraftError, reading};
use crate::archive::{ArchiveError, EntryFault, EntryPath, Limits};

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

/// Which of the files go into a package of a kind, and where to.
pub(super) trait Rules {
    /// Why something stays out, whose path below the directory is `below`; none if it goes in.
    fn reason_to_leave_out(
        &self,
        entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError>;

    /// Where a file goes whose path below the directory is `below`: what comes before in its path in
    /// the package, and what is left of it.
    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path);
}

/// What goes in, sorted by its path in the package, and what does not, sorted.
pub(super) struct Collected {
    pub(super) files: Vec<DraftFile>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Goes through the directory `root`, whose path has no link in it.
pub(super) fn collect(root: &Path, rules: &impl Rules) -> Result<Collected, DraftError> {
    let mut collector =
        Collector { root, rules, bytes: 0, files: BTreeMap::new(), left_out: Vec::new() };
    let mut walk = WalkDir::new(root).min_depth(1).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| DraftError::Read {
            path: error.path().unwrap_or(root).to_owned(),
            source: error.into(),
        })?;
        let is_directory = entry.file_type().is_dir();
        let reason = rules.reason_to_leave_out(&entry, &collector.below(&entry))?;
        if let Some(reason) = reason {
            collector.leave_out(&entry, reason);
            if is_directory {
                walk.skip_current_dir();
            }
        } else if !is_directory {
            collector.take(&entry)?;
        }
    }
    let Collector { files, mut left_out, .. } = collector;
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Collected { files: files.into_values().collect(), left_out })
}

struct Collector<'a, R> {
    root: &'a Path,
    rules: &'a R,
    bytes: u64,
    files: BTreeMap<EntryPath, DraftFile>,
    left_out: Vec<LeftOut>,
}

impl<R: Rules> Collector<'_, R> {
    /// Its path below the directory.
    fn below<'a>(&self, entry: &'a DirEntry) -> Cow<'a, str> {
        entry.path().strip_prefix(self.root).unwrap_or(entry.path()).to_string_lossy()
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
        check_limits(self.root, self.bytes, self.files.len())
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
            Ok(target) if target.is_file() && target.starts_with(self.root) => Ok(target),
            _ => Err(DraftError::Symlink {
                path: path.to_owned(),
                target: fs::read_link(path).map_err(reading(path))?,
            }),
        }
    }

    fn path_in_package(&self, entry: &DirEntry) -> Result<EntryPath, DraftError> {
        let path = entry.path();
        let (top, below) = self.rules.place(path.strip_prefix(self.root).unwrap_or(path));
        let name = [top.as_bytes(), below.as_os_str().as_encoded_bytes()].concat();
        EntryPath::parse(&name).map_err(|fault| DraftError::File { path: path.to_owned(), fault })
    }
}

/// What a launcher would not unpack is not packed.
pub(super) fn check_limits(root: &Path, size: u64, files: usize) -> Result<(), DraftError> {
    let Limits { bytes, entries } = Limits::SOURCE;
    let source = if size > bytes {
        ArchiveError::TooLarge { limit: bytes }
    } else if files > entries {
        ArchiveError::TooManyEntries { limit: entries }
    } else {
        return Ok(());
    };
    Err(DraftError::Oversize { root: root.to_owned(), source })
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
