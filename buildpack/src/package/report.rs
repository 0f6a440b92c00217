//! Everything there is to say about a package, and every reason to refuse it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::indexes::{MAX_INDEX_BYTES, META_INF};
use super::metadata::MAX_METADATA_BYTES;
use super::reader::PACKAGE_LIMITS;
use super::{
    CODE_FILE, ChaincodeType, Index, IndexFault, MAX_PACKAGE_BYTES, METADATA_FILE, Metadata,
    MetadataFault, PackageId,
};
use crate::archive::{
    ArchiveError, Entry, EntryFault, EntryPath, Kind, Limits, Visit, gunzip, scan,
};
use crate::digest::{Hashing, Sha256};
use crate::golang::{GoMod, GoModule, GoPath, is_source, package_name};

/// What [`inspect`] found out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file that was inspected.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of the file.
    pub digest: Sha256,
    /// The package ID, if the label is known and valid.
    pub package_id: Option<PackageId>,
    /// What the package says of itself, if that could be read.
    pub metadata: Option<Metadata>,
    /// The files of the code, sorted.
    pub files: Vec<FileEntry>,
    /// The `CouchDB` indexes among them.
    pub indexes: Vec<Index>,
    /// Every reason to refuse the package; empty if it is fine.
    pub refusals: Vec<Refusal>,
}

/// A file of the code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileEntry {
    /// Its path.
    pub path: EntryPath,
    /// Its size in bytes.
    pub size: u64,
}

/// One reason to refuse a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Who would refuse it.
    pub by: RefusedBy,
    /// The file at fault: the package, one of its two files, or one in the code.
    pub file: String,
    /// What is wrong; reads on from the file's name.
    pub reason: String,
}

/// Who refuses a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusedBy {
    /// The peer, at install; Selvedge never sees it.
    Peer,
    /// Selvedge, although a peer might take it.
    Selvedge,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct InspectError {
    path: PathBuf,
    source: io::Error,
}

/// Inspects the package `path` without writing anything.
///
/// Only a file that cannot be read is an error: a bad package makes a report with refusals.
pub fn inspect(path: &Path) -> Result<Report, InspectError> {
    let failed = |source| InspectError { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut findings = Findings::default();
    let mut hashing = Hashing::new(file);
    if size > MAX_PACKAGE_BYTES {
        findings.refuse(
            RefusedBy::Peer,
            "package",
            format!("has {size} bytes; an install carries at most {MAX_PACKAGE_BYTES}"),
        );
    } else {
        findings.package(&mut hashing);
    }
    io::copy(&mut hashing, &mut io::sink()).map_err(failed)?;
    let (_, digest, size) = hashing.finish();
    Ok(findings.report(path, size, digest))
}

#[derive(Default)]
struct Findings {
    metadata: Option<Metadata>,
    metadata_seen: bool,
    code_seen: bool,
    code: Code,
    refusals: Vec<Refusal>,
}

/// What the code holds.
#[derive(Default)]
struct Code {
    files: Vec<FileEntry>,
    indexes: Vec<Index>,
    go_mods: BTreeMap<String, GoMod>,
    main_directories: BTreeSet<String>,
    refusals: Vec<Refusal>,
    complete: bool,
}

impl Findings {
    fn refuse(&mut self, by: RefusedBy, file: &str, reason: impl Into<String>) {
        self.refusals.push(refusal(by, file, reason));
    }

    fn package(&mut self, reader: &mut dyn Read) {
        let scanned =
            gunzip(reader).and_then(|unpacked| scan(unpacked, PACKAGE_LIMITS, &mut Outer(self)));
        match scanned {
            Err(error) => self.refuse(blame(&error), "package", with_cause(&error)),
            Ok(()) => self.missing(),
        }
        self.refusals.append(&mut self.code.refusals);
        if self.code.complete {
            self.language();
        }
    }

    fn missing(&mut self) {
        if !self.metadata_seen {
            self.refuse(RefusedBy::Peer, "package", format!("holds no {METADATA_FILE}"));
        }
        if !self.code_seen {
            self.refuse(RefusedBy::Peer, "package", format!("holds no {CODE_FILE}"));
        }
    }

    fn metadata(&mut self, json: &[u8]) {
        let (metadata, faults) = Metadata::examine(json);
        self.metadata = metadata;
        for fault in faults {
            let by = match fault {
                MetadataFault::Missing("type") => RefusedBy::Selvedge,
                _ => RefusedBy::Peer,
            };
            self.refuse(by, METADATA_FILE, fault.to_string());
        }
    }

    fn language(&mut self) {
        let Some(metadata) = &self.metadata else {
            return;
        };
        let fault = match &metadata.kind {
            ChaincodeType::Golang => self.code.golang(&metadata.path).err(),
            other => Some(refusal(
                RefusedBy::Selvedge,
                METADATA_FILE,
                format!("has the type `{other}`; Selvedge builds `golang`"),
            )),
        };
        self.refusals.extend(fault);
    }

    fn report(mut self, file: &Path, size: u64, digest: Sha256) -> Report {
        self.code.files.sort();
        self.code.indexes.sort_by(|a, b| a.path.cmp(&b.path));
        Report {
            file: file.to_owned(),
            size,
            digest,
            package_id: self
                .metadata
                .as_ref()
                .map(|metadata| PackageId { label: metadata.label.clone(), digest }),
            metadata: self.metadata,
            files: self.code.files,
            indexes: self.code.indexes,
            refusals: self.refusals,
        }
    }
}

/// Visits the outer archive.
struct Outer<'a>(&'a mut Findings);

impl Visit for Outer<'_> {
    type Error = ArchiveError;

    fn entry(&mut self, mut entry: Entry<'_>) -> Result<(), ArchiveError> {
        let findings = &mut *self.0;
        match (entry.path.as_str(), entry.kind) {
            (METADATA_FILE, Kind::File) if entry.size > MAX_METADATA_BYTES => {
                findings.metadata_seen = true;
                let reason = format!("is larger than {MAX_METADATA_BYTES} bytes");
                findings.refuse(RefusedBy::Selvedge, METADATA_FILE, reason);
            }
            (METADATA_FILE, Kind::File) => {
                findings.metadata_seen = true;
                findings.metadata(&entry.bytes(MAX_METADATA_BYTES)?);
            }
            (CODE_FILE, Kind::File) => {
                findings.code_seen = true;
                findings.code.read(entry.reader());
            }
            (path, Kind::Directory) => {
                let path = path.to_owned();
                findings.refuse(RefusedBy::Peer, &path, "is a directory beside metadata.json");
            }
            _ => {}
        }
        Ok(())
    }

    fn fault(&mut self, path: String, fault: EntryFault) -> Result<(), ArchiveError> {
        let by = match fault {
            EntryFault::Symlink(_) | EntryFault::HardLink(_) | EntryFault::Special(_) => {
                RefusedBy::Peer
            }
            _ => RefusedBy::Selvedge,
        };
        self.0.refuse(by, &path, fault.to_string());
        Ok(())
    }
}

impl Code {
    fn read(&mut self, reader: &mut dyn Read) {
        let scanned = gunzip(reader).and_then(|code| scan(code, Limits::SOURCE, self));
        match scanned {
            Ok(()) => self.complete = true,
            Err(error) => {
                let refusal = refusal(blame(&error), CODE_FILE, with_cause(&error));
                self.refusals.push(refusal);
            }
        }
    }

    fn golang(&self, path: &str) -> Result<(), Refusal> {
        let refuse = |file: &str, reason: String| refusal(RefusedBy::Selvedge, file, reason);
        let path: GoPath =
            GoPath::from_str(path).map_err(|error| refuse(METADATA_FILE, error.to_string()))?;
        let files = self.files.iter().map(|file| file.path.clone()).collect();
        let module =
            GoModule::find(&files, &path).map_err(|error| refuse(CODE_FILE, error.to_string()))?;
        let go_mod_file = module.go_mod();
        let go_mod = self
            .go_mods
            .get(&go_mod_file)
            .ok_or_else(|| refuse(&go_mod_file, "names no module".to_owned()))?;
        match module.package_directory(go_mod) {
            Some(directory) if !self.main_directories.contains(&directory) => Err(refuse(
                METADATA_FILE,
                format!("has the path `{path}`, but {directory} holds no `package main`"),
            )),
            _ => Ok(()),
        }
    }

    /// Reads those files that tell whether the code can be built.
    fn look_into(&mut self, entry: &mut Entry<'_>) -> Result<(), ArchiveError> {
        let path = entry.path.clone();
        let vendored = path.as_str().split('/').any(|part| part == "vendor");
        if path.as_str().starts_with(META_INF) {
            self.index(entry)?;
        } else if path.name() == "go.mod" && !vendored && entry.size <= MAX_METADATA_BYTES {
            let text = entry.bytes(MAX_METADATA_BYTES)?;
            let go_mod = GoMod::parse(&String::from_utf8_lossy(&text));
            self.go_mods.extend(go_mod.map(|go_mod| (path.as_str().to_owned(), go_mod)));
        } else if is_source(path.name()) && !vendored && entry.size <= MAX_GO_FILE_BYTES {
            let text = entry.bytes(MAX_GO_FILE_BYTES)?;
            if package_name(&String::from_utf8_lossy(&text)) == Some("main") {
                self.main_directories.insert(path.directory().to_owned());
            }
        }
        Ok(())
    }

    fn index(&mut self, entry: &mut Entry<'_>) -> Result<(), ArchiveError> {
        let checked = if entry.size > MAX_INDEX_BYTES {
            Err(IndexFault::Oversize)
        } else {
            Index::check(&entry.path.clone(), &entry.bytes(MAX_INDEX_BYTES)?)
        };
        match checked {
            Ok(index) => self.indexes.push(index),
            Err(fault) => {
                let file = entry.path.as_str();
                let refusal = refusal(RefusedBy::Selvedge, file, fault.to_string());
                self.refusals.push(refusal);
            }
        }
        Ok(())
    }
}

/// The largest Go file that is searched for its package clause, in bytes.
const MAX_GO_FILE_BYTES: u64 = 4 << 20;

/// Visits the code.
impl Visit for Code {
    type Error = ArchiveError;

    fn entry(&mut self, mut entry: Entry<'_>) -> Result<(), ArchiveError> {
        if entry.kind == Kind::File {
            self.look_into(&mut entry)?;
            let Entry { path, size, .. } = entry;
            self.files.push(FileEntry { path, size });
        }
        Ok(())
    }

    fn fault(&mut self, path: String, fault: EntryFault) -> Result<(), ArchiveError> {
        // Fabric core/container/externalbuilder/tar.go, Untar.
        let by = match fault {
            EntryFault::Symlink(_)
            | EntryFault::HardLink(_)
            | EntryFault::Special(_)
            | EntryFault::Absolute => RefusedBy::Peer,
            EntryFault::Escapes if path.starts_with("..") => RefusedBy::Peer,
            _ => RefusedBy::Selvedge,
        };
        self.refusals.push(refusal(by, &path, fault.to_string()));
        Ok(())
    }
}

fn refusal(by: RefusedBy, file: &str, reason: impl Into<String>) -> Refusal {
    Refusal { by, file: file.to_owned(), reason: reason.into() }
}

/// Limits are ours; what cannot be read at all, the peer cannot read either.
fn blame(error: &ArchiveError) -> RefusedBy {
    match error {
        ArchiveError::NotGzip | ArchiveError::Truncated | ArchiveError::Unreadable(_) => {
            RefusedBy::Peer
        }
        _ => RefusedBy::Selvedge,
    }
}

fn with_cause(error: &ArchiveError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
