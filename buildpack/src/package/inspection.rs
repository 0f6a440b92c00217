//! A package, read as a peer reads it (Fabric `core/chaincode/persistence/chaincode_package.go`):
//! the one reader of packages that somebody else made.
//!
//! A peer reads a package twice: to check it, and to give it to a builder. Of two files with one
//! name the check takes the last, and the builder gets the first.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use selvedge_package::{
    MAX_METADATA_BYTES, META_INF, METADATA_FILE, MetaInfFile, MetadataFault, RawMetadata,
    check_index,
};
use tempfile::TempDir;

use super::judgement::judge;
use super::misplaced::{MISPLACED, is_misplaced_index};
use super::remark::Remark;
use super::report::{FileEntry, Index, Refusal, RefusedBy, Report};
use super::untar::{clean, untar, walk};
use super::{
    CODE_FILE, ChaincodeType, Elsewhere, Interrupt, MAX_PACKAGE_BYTES, Metadata, PackageId,
    install_scripts, printable,
};
use crate::archive::{ArchiveError, EntryFault, GoEntry, GoKind, GoTar, gunzip};
use crate::binary::{Program, told};
use crate::digest::{Hashing, Sha256};
use crate::source::{Source, SourceError};

/// The most that the outer archive may unpack to, in bytes: ten times what an install carries.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// Below which a package of Node chaincode has its dependencies, if it brings them along.
const BROUGHT: &str = "src/node_modules/";

/// What a refusal of the whole file names.
const WHOLE: &str = "package";

/// A package that was read.
#[derive(Debug)]
pub struct Inspection {
    /// What there is to say about it.
    pub report: Report,
    /// Where the code is, as far as it could be unpacked; it goes when this does.
    code: TempDir,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The package.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// There is no place for the code, which is unpacked to be looked at.
    #[error("cannot unpack the code into a temporary directory")]
    Unpack(#[source] ArchiveError),
    /// What was unpacked could not be looked at.
    #[error("cannot look at the code")]
    Look(#[from] SourceError),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Inspection {
    /// Reads the package `path`. Its code is unpacked into a temporary directory.
    ///
    /// Only a file that cannot be read is an error: a bad package makes a report with refusals.
    pub fn of(path: &Path, interrupt: &Interrupt) -> Result<Self, InspectError> {
        let failed = |source| InspectError::Read { path: path.to_owned(), source };
        let code = tempfile::tempdir().map_err(|error| {
            InspectError::Unpack(ArchiveError::writing(std::env::temp_dir())(error))
        })?;
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut findings = Findings::new(code.path());
        let mut hashing = Hashing::new(interrupt.heeded_by(file));
        let read = if size > MAX_PACKAGE_BYTES {
            let reason =
                format!("has {size} bytes; an install carries at most {MAX_PACKAGE_BYTES}");
            findings.refuse(RefusedBy::Peer, WHOLE, reason);
            Ok(())
        } else {
            findings.package(&mut hashing)
        };
        let rest = io::copy(&mut hashing, &mut io::sink());
        if interrupt.requested() {
            return Err(InspectError::Interrupted);
        }
        rest.map_err(failed)?;
        read.map_err(InspectError::Unpack)?;
        let (_, digest, size) = hashing.finish();
        let report = findings.report(path, size, digest)?;
        Ok(Self { report, code })
    }

    /// The directory with the code: `src/…`, `META-INF/…`. All of it, if nothing is refused.
    pub fn code(&self) -> &Path {
        self.code.path()
    }
}

struct Findings<'a> {
    /// Where the code goes.
    target: &'a Path,
    has_metadata: bool,
    /// The metadata that the builder gets, and where it was read from.
    metadata: Option<(RawMetadata, Vec<u8>)>,
    /// The label that the peer checks, and makes the package ID of.
    label: String,
    code: Code,
    /// Files that are not what the peer looks for, but are called almost so.
    almost: Vec<String>,
    refusals: Vec<Refusal>,
}

/// What became of the code.
enum Code {
    Missing,
    /// It was not read to its end.
    Broken,
    Unpacked,
    /// It was, and there is another one, which the peer checks; how that went.
    Again(Result<(), ArchiveError>),
}

impl<'a> Findings<'a> {
    fn new(target: &'a Path) -> Self {
        Self {
            target,
            has_metadata: false,
            metadata: None,
            label: String::new(),
            code: Code::Missing,
            almost: Vec::new(),
            refusals: Vec::new(),
        }
    }

    fn refuse(&mut self, by: RefusedBy, file: &str, reason: impl Into<String>) {
        self.refusals.push(Refusal::new(by, file, reason));
    }

    /// Reads the package to its end, or to where a peer can read no further.
    fn package(&mut self, reader: &mut impl Read) -> Result<(), ArchiveError> {
        match self.entries(reader) {
            Ok(()) => {
                self.missing();
                Ok(())
            }
            Err(error @ ArchiveError::Write { .. }) => Err(error),
            Err(error) => {
                self.refusals.insert(0, Refusal::of_archive(WHOLE, &error));
                Ok(())
            }
        }
    }

    fn entries(&mut self, reader: &mut impl Read) -> Result<(), ArchiveError> {
        let mut archive = GoTar::new(gunzip(reader)?);
        let mut bytes = 0_u64;
        while let Some(entry) = archive.next()? {
            bytes = bytes.saturating_add(entry.size);
            if bytes > MAX_UNPACKED_BYTES {
                return Err(ArchiveError::TooLarge { limit: MAX_UNPACKED_BYTES });
            }
            self.entry(&entry, &mut archive)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &GoEntry, content: &mut impl Read) -> Result<(), ArchiveError> {
        let name = printable(&entry.name);
        if entry.kind != GoKind::File {
            let reason = match &entry.kind {
                GoKind::Directory => "is a directory beside metadata.json".to_owned(),
                other => EntryFault::of_kind(other).to_string(),
            };
            self.refuse(RefusedBy::Peer, &name, reason);
        } else if entry.name == METADATA_FILE.as_bytes() {
            self.read_metadata(content)?;
        } else if entry.name == CODE_FILE.as_bytes() {
            self.read_code(content)?;
        } else if [METADATA_FILE, CODE_FILE]
            .iter()
            .any(|file| clean(&entry.name) == file.as_bytes())
        {
            self.almost.push(name);
        }
        Ok(())
    }

    fn read_metadata(&mut self, content: &mut impl Read) -> Result<(), ArchiveError> {
        let mut json = Vec::new();
        let most = MAX_METADATA_BYTES + 1;
        content.take(most).read_to_end(&mut json).map_err(ArchiveError::reading)?;
        self.has_metadata = true;
        match RawMetadata::read(&json) {
            Ok(raw) => {
                raw.label.clone_into(&mut self.label);
                self.metadata.get_or_insert((raw, json));
            }
            Err(fault) => {
                let by = match fault {
                    MetadataFault::TooLarge => RefusedBy::Selvedge,
                    _ => RefusedBy::Peer,
                };
                self.refuse(by, METADATA_FILE, fault.to_string());
            }
        }
        Ok(())
    }

    fn read_code(&mut self, content: &mut impl Read) -> Result<(), ArchiveError> {
        self.code = match self.code {
            Code::Missing if untar(&mut *content, self.target, &mut self.refusals)? => {
                Code::Unpacked
            }
            Code::Missing | Code::Broken => Code::Broken,
            Code::Unpacked | Code::Again(_) => Code::Again(walk(&mut *content)),
        };
        Ok(())
    }

    fn missing(&mut self) {
        let almost = self.almost.iter().map(|name| format!(", and `{name}` is none to a peer"));
        let almost: String = almost.collect();
        for (file, has) in
            [(METADATA_FILE, self.has_metadata), (CODE_FILE, !matches!(self.code, Code::Missing))]
        {
            if !has {
                let reason = format!("holds no {file}{almost}");
                self.refuse(RefusedBy::Peer, WHOLE, reason);
            }
        }
    }

    fn report(mut self, file: &Path, size: u64, digest: Sha256) -> Result<Report, InspectError> {
        if let Code::Again(Err(error)) = &self.code {
            self.refusals.push(Refusal::of_archive(CODE_FILE, error));
        }
        let metadata = self.check_metadata();
        let source = Source::open(self.target)?;
        let mut elsewhere = None;
        if let (Some(metadata), Code::Unpacked | Code::Again(_)) = (&metadata, &self.code) {
            match judge(metadata, &source) {
                Ok(found) => elsewhere = found,
                Err(refusals) => self.refusals.extend(refusals),
            }
        }
        let (indexes, mut remarks) = meta_inf(&source)?;
        remarks.extend(elsewhere.as_ref().and_then(Elsewhere::remark));
        remarks.extend(misplaced(&source));
        remarks.extend(metadata.as_ref().and_then(|metadata| program(metadata, &source)));
        remarks.extend(metadata.as_ref().and_then(|metadata| scripts(metadata, &source)));
        let files = source.files().iter();
        Ok(Report {
            file: file.to_owned(),
            size,
            digest,
            package_id: metadata
                .as_ref()
                .map(|metadata| PackageId { label: metadata.label.clone(), digest }),
            metadata,
            elsewhere,
            files: files
                .map(|file| FileEntry { path: file.path.clone(), size: file.size })
                .collect(),
            indexes,
            refusals: self.refusals,
            remarks,
        })
    }

    fn check_metadata(&mut self) -> Option<Metadata> {
        let (mut raw, json) = self.metadata.take()?;
        raw.label = std::mem::take(&mut self.label);
        let (metadata, faults) = Metadata::check(&raw, &json);
        for fault in faults {
            let by = match fault {
                MetadataFault::Missing("type") => RefusedBy::Selvedge,
                _ => RefusedBy::Peer,
            };
            self.refuse(by, METADATA_FILE, fault.to_string());
        }
        metadata
    }
}

/// What looks like an index and is source to everybody.
fn misplaced(source: &Source) -> impl Iterator<Item = Remark> {
    let paths = source.files().iter().map(|file| &file.path);
    let misplaced = paths.filter(|path| is_misplaced_index(path));
    misplaced.map(|path| Remark { file: path.to_string(), text: MISPLACED.to_owned() })
}

/// What the package of a program does not show.
fn program(metadata: &Metadata, source: &Source) -> Option<Remark> {
    let is_program = metadata.kind == ChaincodeType::Binary;
    let program = is_program.then(|| Program::find(source, &metadata.path))?.ok()?;
    Some(Remark { file: program.path.to_string(), text: told(&program.executable) })
}

/// Whose scripts run where its dependencies are installed, if they are.
fn scripts(metadata: &Metadata, source: &Source) -> Option<Remark> {
    let brings_them = source.files().iter().any(|file| file.path.as_str().starts_with(BROUGHT));
    let code = source.root().join("src");
    (metadata.kind == ChaincodeType::Node && !brings_them)
        .then(|| install_scripts::remark(&code))
        .flatten()
        .map(|remark| Remark { file: format!("src/{}", remark.file), ..remark })
}

/// The indexes that the peer gets, and what there is to know about the rest of `META-INF`.
fn meta_inf(source: &Source) -> Result<(Vec<Index>, Vec<Remark>), InspectError> {
    let (mut indexes, mut remarks) = (Vec::new(), Vec::new());
    let below = format!("{META_INF}/");
    for file in source.files().iter().filter(|file| file.path.as_str().starts_with(&below)) {
        let name = file.path.as_str();
        let on_disk = file.path.below(source.root());
        let reading = |source| SourceError::Read { path: on_disk.clone(), source };
        let mut remark = |text: String| remarks.push(Remark { file: name.to_owned(), text });
        match MetaInfFile::read(name, &on_disk).map_err(reading)? {
            MetaInfFile::Useless(reason) => remark(format!("becomes no index: {reason}")),
            MetaInfFile::Index { collection } => {
                // It is the peer's CouchDB that takes it or not.
                if let Err(fault) = check_index(name, &fs::read(&on_disk).map_err(reading)?) {
                    remark(format!("may become no index: it {fault}"));
                }
                let collection = collection.map(str::to_owned);
                indexes.push(Index { path: file.path.clone(), collection });
            }
        }
    }
    Ok((indexes, remarks))
}
