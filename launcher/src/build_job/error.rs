//! Why a build brought no image.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{AssembleError, LayoutError};
use selvedge_buildpack::recipe::Refusal;
use selvedge_buildpack::source::SourceError;

use super::mirror_job::MirrorError;
use super::transfer::TransferError;
use crate::bounds::Exceeded;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildJobError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error("the mirror at {0}, which is in the same pod, does not answer")]
    NoMirror(SocketAddr, #[source] io::Error),
    #[error("what the chaincode depends on was not fetched")]
    NotFetched,
    #[error("the launcher's certificates have the digest {actual} instead of {expected}")]
    Certificates { expected: Sha256, actual: Sha256 },
    #[error("the launcher's certificates are no certificates")]
    NoCertificates,
    #[error("the source that the launcher sent was refused")]
    Source(#[from] SourceError),
    #[error("the source that the launcher sent has the digest {actual} instead of {expected}")]
    SourceDigest { expected: Sha256, actual: Sha256 },
    #[error("the chaincode cannot be built")]
    Refused(#[source] Refusal),
    #[error("cannot run {program} in the toolchain image")]
    Toolchain { program: String, source: io::Error },
    #[error("the chaincode does not compile")]
    Compile(Vec<String>),
    #[error("the compiler was killed")]
    Killed,
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
}
