//! Whether an image that somebody else assembled is what this assembly would make.

use oci_spec::image::Descriptor;

use super::assemble::{PROGRAM_DIRECTORIES, PROGRAM_ENTRY, PROGRAM_MODE};
use super::config::{configuration, manifest};
use super::descriptor::canonical_json;
use super::form::{Form, LayerForm};
use super::tree::{DIRECTORY_MODE, FILE_MODES, directories};
use super::{Layout, LayoutError, sha256};
use crate::archive::{
    ArchiveError, Entry, EntryFault, EntryPath, Kind, Limits, Link, Visit, gunzip, scan,
};
use crate::digest::Sha256;
use crate::platform::Platform;

/// What an image should have been made from; only what a build made is unknown.
#[derive(Clone, Debug)]
pub struct Origin {
    /// [`Base::diff_id`](super::Base::diff_id).
    pub base: Sha256,
    /// The digest of the source.
    pub source: Sha256,
    /// [`Recipe::form`](crate::recipe::Recipe::form).
    pub form: Form,
    /// What it is for.
    pub platform: Platform,
}

impl Origin {
    /// Whether manifest and configuration are, byte for byte, those of an image that
    /// [`assemble`](super::assemble) makes: of this base, source, form and platform, and of
    /// something that was built; and whether that is all that is laid over the base. That the
    /// layers are what manifest and configuration say is for [`validate`](super::validate) to tell.
    pub fn made(&self, layout: &Layout, image: &Descriptor) -> Result<bool, LayoutError> {
        let found = layout.manifest(image)?;
        let configured = layout.configuration(&found)?;
        let diff_ids: Vec<Sha256> = configured
            .rootfs()
            .diff_ids()
            .iter()
            .filter_map(|diff_id| diff_id.parse().ok())
            .collect();
        let number = 1 + self.form.layers.len();
        let counts = [diff_ids.len(), found.layers().len()];
        if counts != [number; 2] || diff_ids[0] != self.base || sha256(found.config()).is_none() {
            return Ok(false);
        }
        let malformed = |source| LayoutError::Malformed { path: layout.root().to_owned(), source };
        let config = configuration(self.platform, self.source, &self.form, &diff_ids)?;
        let config = canonical_json(&config).map_err(malformed)?;
        // Descriptors without anything besides what a reader needs, as assembly makes them.
        let plain = |descriptor: &Descriptor| {
            let kind = descriptor.media_type().clone();
            Descriptor::new(kind, descriptor.size(), descriptor.digest().clone())
        };
        let layers = found.layers().iter().map(plain).collect();
        let manifest = canonical_json(&manifest(plain(found.config()), layers)?);
        let described = layout.read_blob(found.config())? == config
            && layout.read_blob(image)? == manifest.map_err(malformed)?;
        if !described {
            return Ok(false);
        }
        for (form, layer) in self.form.layers.iter().zip(&found.layers()[1..]) {
            if !is_of_form(*form, layout, layer)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a layer holds what its form says, and nothing else: over the base it could hide the
/// certificates that chaincode trusts, or the users that there are.
fn is_of_form(form: LayerForm, layout: &Layout, layer: &Descriptor) -> Result<bool, LayoutError> {
    let LayerForm::Below { directory, .. } = form else { return is_program_alone(layout, layer) };
    let Some(digest) = sha256(layer) else { return Ok(false) };
    let (file, _) = layout.open_blob(digest)?;
    let above: Vec<&str> = directories(directory).collect();
    let mut entries = Below { directory, above, fit: true };
    let scanned = gunzip(file).and_then(|content| scan(content, Limits::LAYER, &mut entries));
    Ok(scanned.is_ok() && entries.fit)
}

/// Whether a layer holds a program where chaincode is started from, and nothing else.
fn is_program_alone(layout: &Layout, layer: &Descriptor) -> Result<bool, LayoutError> {
    let Some(digest) = sha256(layer) else { return Ok(false) };
    let (file, _) = layout.open_blob(digest)?;
    let mut entries = Entries { expected: PROGRAM_DIRECTORIES.len() + 1, seen: 0, fit: true };
    let scanned = gunzip(file).and_then(|content| scan(content, Limits::LAYER, &mut entries));
    Ok(scanned.is_ok() && entries.fit && entries.seen == entries.expected)
}

/// Compares the entries of a layer with those of a program's.
struct Entries {
    expected: usize,
    seen: usize,
    fit: bool,
}

impl Visit for Entries {
    type Error = ArchiveError;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), ArchiveError> {
        let (path, kind) = match PROGRAM_DIRECTORIES.get(self.seen) {
            Some(directory) => (*directory, Kind::Directory),
            None => (PROGRAM_ENTRY, Kind::File),
        };
        self.fit &= entry.path.as_str() == path && entry.kind == kind && entry.mode == PROGRAM_MODE;
        self.seen += 1;
        Ok(())
    }

    fn fault(&mut self, _: String, _: EntryFault) -> Result<(), ArchiveError> {
        self.fit = false;
        Ok(())
    }
}

/// Looks at the entries of a layer that are to lie below a directory.
struct Below {
    directory: &'static str,
    above: Vec<&'static str>,
    fit: bool,
}

impl Below {
    fn holds(&self, path: &EntryPath) -> bool {
        path.as_str().strip_prefix(self.directory).is_some_and(|below| below.starts_with('/'))
    }
}

impl Visit for Below {
    type Error = ArchiveError;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), ArchiveError> {
        self.fit &= match entry.kind {
            Kind::Directory => {
                let known = self.above.contains(&entry.path.as_str()) || self.holds(&entry.path);
                known && entry.mode == DIRECTORY_MODE
            }
            Kind::File => self.holds(&entry.path) && FILE_MODES.contains(&entry.mode),
        };
        Ok(())
    }

    fn link(&mut self, link: Link) -> Result<(), ArchiveError> {
        self.fit &= self.holds(&link.path);
        Ok(())
    }

    fn fault(&mut self, _: String, _: EntryFault) -> Result<(), ArchiveError> {
        self.fit = false;
        Ok(())
    }
}
