//! Everything there is to say about a package, and every reason to refuse it.

use std::path::PathBuf;

use serde::Serialize;

use super::remark::Remark;
use super::{Elsewhere, Metadata, PackageId};
use crate::archive::{ArchiveError, EntryPath};
use crate::digest::Sha256;

/// What was found out about a package.
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
    /// Where the chaincode is, if the package names that instead of holding code.
    #[serde(flatten)]
    pub elsewhere: Option<Elsewhere>,
    /// The files of the code, sorted.
    pub files: Vec<FileEntry>,
    /// The `CouchDB` indexes among them.
    pub indexes: Vec<Index>,
    /// Every reason to refuse the package; empty if it is fine.
    pub refusals: Vec<Refusal>,
    /// What nobody refuses it for, but its author may not have meant.
    pub remarks: Vec<Remark>,
}

/// A file of the code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileEntry {
    /// Its path.
    pub path: EntryPath,
    /// Its size in bytes.
    pub size: u64,
}

/// A `CouchDB` index that comes with a chaincode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Index {
    /// The file.
    pub path: EntryPath,
    /// The private data collection it is for; none means the chaincode's public state.
    pub collection: Option<String>,
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

impl Refusal {
    pub(super) fn new(by: RefusedBy, file: &str, reason: impl Into<String>) -> Self {
        Self { by, file: file.to_owned(), reason: reason.into() }
    }

    /// Limits are ours; what cannot be read at all, the peer cannot read either.
    pub(super) fn of_archive(file: &str, error: &ArchiveError) -> Self {
        let by = match error {
            ArchiveError::NotGzip | ArchiveError::Truncated | ArchiveError::Unreadable(_) => {
                RefusedBy::Peer
            }
            _ => RefusedBy::Selvedge,
        };
        let cause = std::error::Error::source(error);
        let reason = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        Self::new(by, file, reason)
    }
}
