//! What of a Go module goes into a package.
//!
//! The rules are those of Fabric's packager (`core/chaincode/platforms/golang/platform.go`,
//! `findSource`): the whole module under `src/`, the chaincode's own `META-INF` at the top. But of
//! what is hidden, only what the code embeds goes in: secrets are kept in such files, and some appear
//! by themselves, which would change the package ID. Packages of earlier days stay out, too.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use selvedge_package::META_INF;
use walkdir::DirEntry;

use super::super::{CODE_FILE, METADATA_FILE};
use super::collector::Rules;
use super::error::{DraftError, reading};
use crate::archive::gunzip;
use crate::golang::{Embeds, GoChaincode};

/// The rules for one module.
pub(super) struct GoRules {
    /// The chaincode's, below the module's directory.
    meta_inf: PathBuf,
    embeds: Embeds,
}

impl GoRules {
    pub(super) fn of(chaincode: &GoChaincode) -> Result<Self, DraftError> {
        let root = &chaincode.module_root;
        let below = chaincode.directory.strip_prefix(root).unwrap_or(Path::new(""));
        Ok(Self { meta_inf: below.join(META_INF), embeds: Embeds::below(root)? })
    }
}

impl Rules for GoRules {
    fn reason_to_leave_out(
        &self,
        entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        let is_embedded = || {
            let embedded = if entry.file_type().is_dir() { Embeds::reach } else { Embeds::take };
            !Path::new(below).starts_with(&self.meta_inf) && embedded(&self.embeds, below)
        };
        if below.split('/').any(|part| part.starts_with('.')) && !is_embedded() {
            return Ok(Some("hidden"));
        }
        let name = entry.file_name().as_encoded_bytes();
        let archive = name.ends_with(b".tar.gz") || name.ends_with(b".tgz");
        if entry.file_type().is_file() && archive && is_package(entry.path())? {
            return Ok(Some("a chaincode package"));
        }
        Ok(None)
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        match below.strip_prefix(&self.meta_inf) {
            Ok(below) => ("META-INF/", below),
            Err(_) => ("src/", below),
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
