//! What headers of a tar archive say of the entry that follows them: names that are too long for its
//! own header.
//!
//! They are read here and not by the crate, which would read a name of any length into memory.

use std::borrow::Cow;
use std::io::Read;

use tar::{EntryType, PaxExtensions};

use super::{ArchiveError, EntryFault, check_records};

/// The largest such header, in bytes.
const LARGEST: u64 = 64 * 1024;

/// What was said of the next entry.
#[derive(Default)]
pub(crate) struct Extensions {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    fault: Option<EntryFault>,
}

/// What is known of an entry, from before it and from its own header.
pub(crate) struct Extended {
    /// Its name.
    pub(crate) name: Vec<u8>,
    /// Where it leads, if it is a link.
    pub(crate) target: Vec<u8>,
    /// Why nobody can tell.
    pub(crate) fault: Option<EntryFault>,
}

impl Extensions {
    /// Reads a header that describes the next entry; false if `entry` is an entry itself.
    pub(crate) fn read<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<bool, ArchiveError> {
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader) {
            return Ok(false);
        }
        if entry.size() > LARGEST {
            self.fault = Some(EntryFault::TooLong);
            return Ok(true);
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(ArchiveError::reading)?;
        if kind == EntryType::XHeader {
            self.pax(&content)?;
            return Ok(true);
        }
        while content.last() == Some(&0) {
            content.pop();
        }
        if kind == EntryType::GNULongName {
            self.name_next(content);
        } else {
            self.lead_next(content);
        }
        Ok(true)
    }

    /// What is known of `entry`, which came next.
    pub(crate) fn take<R: Read>(&mut self, entry: &tar::Entry<'_, R>) -> Extended {
        let header = entry.header();
        let Self { name, target, fault } = std::mem::take(self);
        let of_header = || header.link_name_bytes().map(Cow::into_owned).unwrap_or_default();
        Extended {
            name: name.unwrap_or_else(|| header.path_bytes().into_owned()),
            target: target.unwrap_or_else(of_header),
            fault,
        }
    }

    fn pax(&mut self, content: &[u8]) -> Result<(), ArchiveError> {
        check_records(content).map_err(ArchiveError::reading)?;
        for extension in PaxExtensions::new(content) {
            let extension = extension.map_err(ArchiveError::reading)?;
            let key = extension.key_bytes();
            if key == b"path" {
                self.name_next(extension.value_bytes().to_vec());
            } else if key == b"linkpath" {
                self.lead_next(extension.value_bytes().to_vec());
            } else if key == b"size" || key.starts_with(b"GNU.sparse") {
                self.fault = Some(EntryFault::AmbiguousSize);
            }
        }
        Ok(())
    }

    fn name_next(&mut self, name: Vec<u8>) {
        if self.name.replace(name).is_some() {
            self.fault = Some(EntryFault::AmbiguousName);
        }
    }

    fn lead_next(&mut self, target: Vec<u8>) {
        if self.target.replace(target).is_some() {
            self.fault = Some(EntryFault::AmbiguousName);
        }
    }
}
