//! A directory that tells where a chaincode is instead of holding it, and what of it goes into a
//! package: the file that tells, and what becomes of `META-INF`, both at the top, as Fabric's own
//! builder (`ccaas_builder/cmd/build/main.go`) and fabric-builder-k8s
//! (`docs/concepts/chaincode-package.md`) have them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use selvedge_package::{CONNECTION_FILE, Connection, ConnectionError, IMAGE_FILE, META_INF};
use walkdir::DirEntry;

use super::super::{Elsewhere, Served};
use super::collector::Rules;
use super::error::DraftError;
use crate::named_image::{NamedImage, NamedImageError};

/// What says that the code itself is here. A server's source often has its `connection.json` beside
/// it, and an image's its `image.json`; then nobody can tell which of the two is meant, and the code
/// is what there is more of.
const OF_A_LANGUAGE: [&str; 5] =
    ["go.mod", "package.json", "pom.xml", "build.gradle", "build.gradle.kts"];

/// Where the chaincode is, if that is what the directory is there to tell.
pub(super) fn told_in(directory: &Path) -> Result<Option<Elsewhere>, DraftError> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(None) };
    let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    if names.iter().any(|name| is_of_a_language(name)) {
        return Ok(None);
    }
    let has = |file: &str| names.iter().any(|name| name == file);
    match (has(IMAGE_FILE), has(CONNECTION_FILE)) {
        (true, true) => Err(DraftError::Both { directory: directory.to_owned() }),
        (true, false) => image(directory).map(|image| Some(Elsewhere::Image(image))),
        (false, true) => server(directory).map(|server| Some(Elsewhere::Server(server))),
        (false, false) => Ok(None),
    }
}

/// Whether a file of this name says what language the code beside it is in.
pub(super) fn is_of_a_language(name: &OsStr) -> bool {
    let name = &*name.to_string_lossy();
    OF_A_LANGUAGE.contains(&name) || Path::new(name).extension().is_some_and(|end| end == "go")
}

fn image(directory: &Path) -> Result<NamedImage, DraftError> {
    NamedImage::of_code(directory).map_err(|error| match error {
        NamedImageError::Fault(fault) => {
            DraftError::Image { path: directory.join(IMAGE_FILE), fault }
        }
        other => DraftError::Named(other),
    })
}

fn server(directory: &Path) -> Result<Served, DraftError> {
    let connection = Connection::of_code(directory).map_err(|error| match error {
        ConnectionError::Faults(faults) => {
            DraftError::Connection { path: directory.join(CONNECTION_FILE), faults }
        }
        other => DraftError::Server(other),
    })?;
    Ok(Served::of(&connection))
}

impl Rules for Elsewhere {
    fn reason_to_leave_out(
        &self,
        _entry: &DirEntry,
        below: &str,
    ) -> Result<Option<&'static str>, DraftError> {
        let is_part = below == self.file() || below.split('/').next() == Some(META_INF);
        Ok(if below.split('/').any(|part| part.starts_with('.')) {
            Some("hidden")
        } else if is_part {
            None
        } else {
            Some(match self {
                Self::Image(_) => "of no use to who runs an image",
                Self::Server(_) => "of no use to a peer that dials a server",
            })
        })
    }

    fn place<'a>(&self, below: &'a Path) -> (&'static str, &'a Path) {
        ("", below)
    }
}
