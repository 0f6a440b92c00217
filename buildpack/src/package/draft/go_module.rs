//! What of a Go module goes into a package.
//!
//! The rules are those of Fabric's packager (`core/chaincode/platforms/golang/platform.go`,
//! `findSource`): the whole module under `src/`, the chaincode's own `META-INF` at the top. But of
//! what is hidden, only what the code embeds goes in: secrets are kept in such files, and some appear
//! by themselves, which would change the package ID. Packages of earlier days stay out, too.

use std::path::{Path, PathBuf};

use selvedge_package::META_INF;
use walkdir::DirEntry;

use super::collector::Rules;
use super::earlier;
use super::error::DraftError;
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
        earlier::reason_to_leave_out(entry)
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        match below.strip_prefix(&self.meta_inf) {
            Ok(below) => ("META-INF/", below),
            Err(_) => ("src/", below),
        }
    }
}
