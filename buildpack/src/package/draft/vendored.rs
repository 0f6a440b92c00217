//! Dependencies that go into a package beside the code.

use std::path::Path;

use walkdir::DirEntry;

use super::collector::{Collected, Rules, check_limits, collect};
use super::error::{DraftError, reading};
use super::node_project::reason_to_leave_out_of_dependencies;
use super::{Draft, DraftFile};
use crate::recipe::Vendoring;

struct VendoredRules {
    to: &'static str,
}

impl Rules for VendoredRules {
    fn reason_to_leave_out(
        &self,
        entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        Ok(reason_to_leave_out_of_dependencies(entry.path(), below))
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        (self.to, below)
    }
}

impl Draft {
    /// Adds what was brought together; its files are read when the package is written. That there
    /// are none, a chaincode may have no dependencies for.
    pub fn take_along(&mut self, vendored: &Vendoring) -> Result<(), DraftError> {
        if !vendored.from.is_dir() {
            return Ok(());
        }
        (vendored.tidy)(&vendored.from).map_err(reading(&vendored.from))?;
        let root = vendored.from.canonicalize().map_err(reading(&vendored.from))?;
        let Collected { files, left_out } = collect(&root, &VendoredRules { to: vendored.to })?;
        self.files.extend(files);
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let inside = vendored.to.split_once('/').map_or("", |(_, inside)| inside);
        self.left_out.extend(left_out.into_iter().map(|mut left| {
            left.path.insert_str(0, inside);
            left
        }));
        self.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        let bytes = self.files.iter().map(|DraftFile { size, .. }| size).sum();
        check_limits(&root, bytes, self.files.len())
    }
}
