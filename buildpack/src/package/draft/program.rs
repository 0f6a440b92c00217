//! A program that is compiled already, and what goes into a package with it: the META-INF beside it,
//! where its directory is named, and nothing else.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use selvedge_package::{Executable, META_INF, NotExecutable};
use walkdir::DirEntry;

use super::super::Remark;
use super::collector::{Collected, DraftFile, LeftOut, Rules, collect};
use super::elsewhere::is_of_a_language;
use super::error::{DraftError, reading};
use crate::archive::{EntryFault, EntryPath};
use crate::binary::told;
use crate::platform::Platform;

/// A program, and what goes in with it.
pub(super) struct Found {
    /// Its path below `src/`.
    pub(super) path: String,
    pub(super) files: Vec<DraftFile>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) remarks: Vec<Remark>,
}

/// The name of the program in a directory whose only one it is, with no code beside it.
pub(super) fn is_in(directory: &Path) -> Result<Option<OsString>, DraftError> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(None) };
    let entries: Vec<fs::DirEntry> = entries.flatten().collect();
    if entries.iter().any(|entry| is_of_a_language(&entry.file_name())) {
        return Ok(None);
    }
    let mut programs: Vec<OsString> = entries
        .iter()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| read(&entry.path()).is_ok())
        .map(fs::DirEntry::file_name)
        .collect();
    programs.sort();
    if programs.len() > 1 {
        let names: Vec<_> = programs.iter().map(|name| name.to_string_lossy()).collect();
        let (directory, names) = (directory.to_owned(), names.join(", "));
        return Err(DraftError::Programs { directory, names });
    }
    Ok(programs.pop())
}

/// The package of a program alone.
pub(super) fn of_file(file: &Path) -> Result<Found, DraftError> {
    let on_disk = file.canonicalize().map_err(reading(file))?;
    let name = file.file_name().unwrap_or_default();
    let path = [b"src/", name.as_encoded_bytes()].concat();
    let path = EntryPath::parse(&path).map_err(refused(file))?;
    let size = fs::metadata(&on_disk).map_err(reading(file))?.len();
    let files = vec![DraftFile { path: path.clone(), on_disk: on_disk.clone(), size }];
    found(&path, &on_disk, Collected { files, left_out: Vec::new() })
}

/// The package of the program of that name in a directory.
pub(super) fn of_directory(directory: &Path, name: &OsString) -> Result<Found, DraftError> {
    let root = directory.canonicalize().map_err(reading(directory))?;
    let on_disk = root.join(name);
    let path = [b"src/", name.as_encoded_bytes()].concat();
    let path = EntryPath::parse(&path).map_err(refused(&on_disk))?;
    let collected = collect(&root, &ProgramRules { name: name.clone() })?;
    found(&path, &on_disk, collected)
}

fn found(path: &EntryPath, on_disk: &Path, collected: Collected) -> Result<Found, DraftError> {
    let fault = |fault| DraftError::Program { path: on_disk.to_owned(), fault };
    let executable = read(on_disk).map_err(fault)?;
    let architecture = executable.architecture();
    if !Platform::ALL.iter().any(|platform| platform.architecture() == architecture) {
        let (path, found) = (on_disk.to_owned(), architecture.to_owned());
        return Err(DraftError::Platform { path, found });
    }
    let name = path.name().to_owned();
    let remarks = vec![Remark { file: name.clone(), text: told(&executable) }];
    let Collected { files, left_out } = collected;
    Ok(Found { path: name, files, left_out, remarks })
}

fn read(path: &Path) -> Result<Executable, NotExecutable> {
    Executable::read(File::open(path)?)
}

fn refused(path: &Path) -> impl FnOnce(EntryFault) -> DraftError {
    let path: PathBuf = path.to_owned();
    |fault| DraftError::File { path, fault }
}

/// The rules for a directory.
struct ProgramRules {
    name: OsString,
}

impl Rules for ProgramRules {
    fn reason_to_leave_out(
        &self,
        entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        let is_part = entry.depth() == 1 && entry.file_name() == self.name
            || below.split('/').next() == Some(META_INF);
        Ok(if below.split('/').any(|part| part.starts_with('.')) {
            Some("hidden")
        } else {
            (!is_part).then_some("of no use to a program, which is run by itself")
        })
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        match below.strip_prefix(META_INF) {
            Ok(below) => ("META-INF/", below),
            Err(_) => ("src/", below),
        }
    }
}
