//! Packages of earlier days: the usual place to write one is the directory that it was made from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use walkdir::DirEntry;

use super::super::{CODE_FILE, METADATA_FILE};
use super::error::{DraftError, reading};
use crate::archive::gunzip;

/// Why a file stays out that is a package; none if it is none.
pub(super) fn reason_to_leave_out(entry: &DirEntry) -> Result<Option<&'static str>, DraftError> {
    let name = entry.file_name().as_encoded_bytes();
    let archive = name.ends_with(b".tar.gz") || name.ends_with(b".tgz");
    let is_one = entry.file_type().is_file() && archive && is_package(entry.path())?;
    Ok(is_one.then_some("a chaincode package"))
}

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
