//! What lies in an image's layers that tells what it is made of. All of it was written by others.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use oci_spec::image::Descriptor;

use super::component::Component;
use super::error::{MOST, SbomError};
use super::node::Packages;
use super::{golang, jar, java};
use crate::archive::{ArchiveError, Entry, EntryFault, Kind, Limits, Link, Visit, gunzip, scan};
use crate::digest::{Hashing, Sha256};
use crate::image::{CHAINCODE_PROGRAM, Layout, sha256};

/// Where the layers have what Node and Java run.
pub(super) const CODE: &str = "usr/local/src/";

/// The largest text that is read whole, in bytes. Lock files of a thousand packages have a tenth.
const MOST_TEXT: u64 = 16 << 20;

/// The most that jars in jars may unpack to, in bytes.
const MOST_INNER: u64 = 1 << 30;

/// What was found so far.
pub(super) struct Contents {
    scratch: PathBuf,
    /// What there is still room for of jars in jars, in bytes.
    room: u64,
    components: Vec<Component>,
    packages: Packages,
}

impl Contents {
    /// Reads the layers.
    pub(super) fn of(layout: &Layout, layers: &[Descriptor]) -> Result<Self, SbomError> {
        let scratch = layout.scratch();
        // A layout that came as an archive has none.
        std::fs::create_dir_all(&scratch)
            .map_err(|source| SbomError::Scratch { path: scratch.clone(), source })?;
        let mut contents = Self {
            scratch,
            room: MOST_INNER,
            components: Vec::new(),
            packages: Packages::default(),
        };
        for layer in layers {
            let failed = |source| SbomError::Layer { layer: layer.digest().to_string(), source };
            let digest = sha256(layer).ok_or_else(|| failed(ArchiveError::NotGzip))?;
            let (file, _) = layout.open_blob(digest)?;
            let content = gunzip(file).map_err(failed)?;
            scan(content, Limits::LAYER, &mut contents).map_err(|error| match error {
                Stopped::Archive(source) => failed(source),
                Stopped::By(error) => error,
            })?;
        }
        Ok(contents)
    }

    /// What the image is made of, each thing once or more.
    pub(super) fn components(mut self) -> Result<Vec<Component>, SbomError> {
        self.components.extend(self.packages.components());
        if self.components.len() > MOST { Err(SbomError::TooMany) } else { Ok(self.components) }
    }

    fn look(&mut self, entry: Entry<'_>) -> Result<(), Stopped> {
        let path = entry.path.to_string();
        if path == CHAINCODE_PROGRAM.trim_start_matches('/') {
            let (file, digest) = self.put_down(entry)?;
            self.components.push(Component::file(&path, digest));
            self.components.extend(golang::modules(&file));
        } else if let Some(place) = path.strip_prefix(CODE) {
            if jar::is_jar(place) {
                let (mut file, digest) = self.put_down(entry)?;
                self.components.push(Component::file(&path, digest));
                let artifacts = java::artifacts(&mut file, &self.scratch, &mut self.room);
                self.components.extend(artifacts);
            } else if Packages::reads(place) {
                let place = place.to_owned();
                let text = text(entry)?;
                self.packages.take(&place, &text);
            }
        }
        if self.components.len().max(self.packages.len()) > MOST {
            return Err(SbomError::TooMany.into());
        }
        Ok(())
    }

    /// Puts a file where it can be read from any place on; its digest.
    fn put_down(&self, mut entry: Entry<'_>) -> Result<(File, Sha256), Stopped> {
        let unusable = |source| SbomError::Scratch { path: self.scratch.clone(), source };
        let file = tempfile::tempfile_in(&self.scratch).map_err(unusable)?;
        let mut hashing = Hashing::new(file);
        entry.copy_to(&mut hashing, &self.scratch)?;
        let (mut file, digest, _) = hashing.finish();
        file.rewind().map_err(unusable)?;
        Ok((file, digest))
    }
}

/// The text of a file; none of one that is too large to say something.
fn text(mut entry: Entry<'_>) -> Result<Vec<u8>, Stopped> {
    let mut text = Vec::new();
    if entry.size <= MOST_TEXT {
        entry.copy_to(&mut text, Path::new("memory"))?;
    }
    Ok(text)
}

/// Why a layer is not read to its end.
pub(super) enum Stopped {
    Archive(ArchiveError),
    By(SbomError),
}

impl From<ArchiveError> for Stopped {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl From<SbomError> for Stopped {
    fn from(error: SbomError) -> Self {
        Self::By(error)
    }
}

impl Visit for Contents {
    type Error = Stopped;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Stopped> {
        if entry.kind == Kind::File { self.look(entry) } else { Ok(()) }
    }

    /// What it leads to is in the image by itself.
    fn link(&mut self, _: Link) -> Result<(), Stopped> {
        Ok(())
    }

    /// What is wrong with a layer, others have said.
    fn fault(&mut self, _: String, _: EntryFault) -> Result<(), Stopped> {
        Ok(())
    }
}
