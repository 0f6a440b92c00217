//! What is kept: an image layout, what is being uploaded beside it, and a bound for both together.

mod room;
mod uploads;
mod verified;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{InUse, Layout, LayoutError, ManifestName, Tag, sha256};
use tracing::warn;

pub(crate) use uploads::{Unnamed, Upload, UploadId};

use crate::fault::Fault;
use crate::manifest::Manifest;
use verified::Verified;

/// Where uploads are until they are blobs.
const UPLOADS: &str = "uploads";

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How much may be kept altogether, in bytes: images, and what is being uploaded.
    pub limit: u64,
    /// How long what belongs to no image yet may lie there untouched: an upload that nobody goes on
    /// with, a blob that no manifest has named.
    pub unfinished: Duration,
}

/// The content of a registry. One process has it for itself.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
    uploads: PathBuf,
    bounds: Bounds,
    /// How many bytes are promised to requests that go on, and not written yet.
    promised: Mutex<u64>,
    verified: Verified,
    in_use: InUse,
}

impl Store {
    /// Opens the store in a directory, making it if there is none. What is no store any more is begun
    /// anew: whoever needs an image can make it again.
    pub fn open(directory: &Path, bounds: Bounds) -> Result<Arc<Self>, LayoutError> {
        let layout = opened(directory)?;
        let uploads = directory.join(UPLOADS);
        let using = |source| LayoutError::Io { path: uploads.clone(), source };
        fs::create_dir_all(&uploads).map_err(using)?;
        let (promised, verified, in_use) = Default::default();
        let store = Self { layout, uploads, bounds, promised, verified, in_use };
        store.clear_scratch();
        store.warn_of_a_small_volume();
        Ok(Arc::new(store))
    }

    /// Keeps the image, if it is there, for as long as what is returned lives.
    pub fn need(&self, image: Sha256) -> Arc<()> {
        self.in_use.need(image)
    }

    /// Removes what nobody goes on with: uploads, blobs that no image has, images of which something is
    /// missing. To be called now and then.
    pub fn tend(&self) {
        self.forget_uploads();
        if let Err(error) = self.collect(u64::MAX) {
            warn!(%error, "what no image has cannot be removed");
        }
    }

    /// The blob, to be read, and its size; none if it is not there, or is not what it was.
    pub(crate) fn blob(&self, digest: Sha256) -> Result<Option<(File, u64)>, Fault> {
        let (file, size) = match self.layout.open_blob(digest) {
            Ok(opened) => opened,
            Err(LayoutError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if self.verified.is_sound(digest, &file)? {
            return Ok(Some((file, size)));
        }
        warn!(%digest, "a blob is damaged, and is gone");
        fs::remove_file(self.layout.blob_path(digest))?;
        Ok(None)
    }

    /// Whether the blob is there. One that no manifest has named yet then stays for a while.
    pub(crate) fn offers(&self, digest: Sha256) -> Result<bool, Fault> {
        let is_there = self.blob(digest)?.is_some();
        if is_there {
            self.layout.touch(digest)?;
        }
        Ok(is_there)
    }

    /// A manifest and what describes it; none if it is not there, or is not what it was. The image
    /// counts as used now.
    pub(crate) fn manifest(
        &self,
        name: &ManifestName,
    ) -> Result<Option<(Descriptor, Vec<u8>)>, Fault> {
        let Some(found) = self.layout.look_up(name)? else { return Ok(None) };
        let bytes = match self.layout.read_blob(&found) {
            Ok(bytes) => bytes,
            Err(error) => {
                warn!(digest = %found.digest(), %error, "a manifest is lost");
                return Ok(None);
            }
        };
        if let Some(digest) = sha256(&found) {
            self.layout.touch(digest)?;
        }
        Ok(Some((found, bytes)))
    }

    /// Keeps a manifest, of which all is there that it names.
    pub(crate) fn enter(
        &self,
        manifest: &Manifest,
        bytes: &[u8],
        tag: Option<&Tag>,
    ) -> Result<(), Fault> {
        for (blob, size) in &manifest.blobs {
            if self.blob(*blob)?.is_none_or(|(_, actual)| actual != *size) {
                return Err(Fault::PartUnknown(format!("the blob {blob} of {size} bytes")));
            }
        }
        for named in &manifest.manifests {
            if self.layout.look_up(&ManifestName::Digest(*named))?.is_none() {
                return Err(Fault::PartUnknown(format!("the manifest {named}")));
            }
        }
        Ok(self.layout.enter(&manifest.descriptor, bytes, tag)?)
    }

    /// All tags, in order.
    pub(crate) fn tags(&self) -> Result<BTreeSet<String>, Fault> {
        Ok(self.layout.tags()?)
    }

    /// What refers to a manifest: each as it describes itself.
    pub(crate) fn referrers(&self, subject: Sha256) -> Result<Vec<Descriptor>, Fault> {
        let mut seen = BTreeSet::new();
        let mut referrers = Vec::new();
        for listed in self.layout.catalogue()? {
            let is_new = sha256(&listed).is_some_and(|digest| seen.insert(digest));
            let Some(bytes) = is_new.then(|| self.layout.read_blob(&listed).ok()).flatten() else {
                continue;
            };
            let Ok(read) = Manifest::read(&bytes, listed.media_type().as_ref()) else { continue };
            if read.subject == Some(subject) {
                let mut referrer = read.descriptor;
                referrer.set_annotations(read.annotations);
                referrers.push(referrer);
            }
        }
        Ok(referrers)
    }

    /// What a write that was interrupted left.
    fn clear_scratch(&self) {
        for left in fs::read_dir(self.layout.scratch()).into_iter().flatten().flatten() {
            if let Err(error) = fs::remove_file(left.path()) {
                warn!(path = %left.path().display(), %error, "cannot remove what was left");
            }
        }
    }
}

/// A directory that is no layout, and not empty, was one once.
fn opened(directory: &Path) -> Result<Layout, LayoutError> {
    match Layout::create(directory) {
        Err(LayoutError::NotALayout { path }) => {
            warn!(path = %path.display(), "this is no image layout any more, it is begun anew");
            let marker = directory.join("oci-layout");
            fs::remove_file(&marker).map_err(|source| LayoutError::Io { path: marker, source })?;
            Layout::create(directory)
        }
        opened => opened,
    }
}
