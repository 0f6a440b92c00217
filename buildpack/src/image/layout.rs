//! A directory of images: the OCI image layout (`image-layout.md` of the image specification).
//!
//! Any number of processes may add to one layout at once. A blob appears whole or not at all,
//! and the index is replaced after the blobs that it names; a lock keeps the two together.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, ImageConfiguration, ImageIndex, ImageIndexBuilder,
    ImageManifest, MediaType, PlatformBuilder,
};
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use super::descriptor::canonical_json;
use super::descriptor::is_referrer;
use super::{Image, Tag, plain_file, sha256};
use crate::digest::Sha256;

/// The largest index, manifest or configuration, in bytes: what registries accept of a manifest.
pub(super) const MAX_JSON_BYTES: u64 = 4 << 20;

const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX_FILE: &str = "index.json";
const LOCK_FILE: &str = "index.lock";
const BLOBS: &str = "blobs/sha256";
const SCRATCH: &str = "scratch";

/// A layout on disk.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// Why a layout, or something in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The directory is no layout of version 1.0.0.
    #[error("{path} is not an OCI image layout of version 1.0.0")]
    NotALayout {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not the JSON it should be.
    #[error("{path} is malformed")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A blob is not what its descriptor says.
    #[error("blob {path} is damaged: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// A descriptor could not be made.
    #[error("cannot describe the image")]
    Describe(#[from] oci_spec::OciSpecError),
}

impl LayoutError {
    /// Whether it is the same however often it is tried.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Malformed { .. } | Self::Damaged { .. } => true,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
            }
            _ => false,
        }
    }
}

impl Layout {
    /// Opens the layout in `root`, which must be one.
    pub fn open(root: &Path) -> Result<Self, LayoutError> {
        let not_a_layout = || LayoutError::NotALayout { path: root.to_owned() };
        let marker = read_bounded(&root.join(LAYOUT_FILE)).map_err(|_| not_a_layout())?;
        let marker: serde_json::Value =
            serde_json::from_slice(&marker).map_err(|_| not_a_layout())?;
        if marker["imageLayoutVersion"] != "1.0.0" {
            return Err(not_a_layout());
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Opens the layout in `root`, making it if there is none.
    pub fn create(root: &Path) -> Result<Self, LayoutError> {
        let layout = Self { root: root.to_owned() };
        for directory in [layout.blobs(), layout.scratch()] {
            fs::create_dir_all(&directory).map_err(using(&directory))?;
        }
        let _lock = layout.lock()?;
        if !layout.root.join(INDEX_FILE).exists() {
            layout.write_index(&empty_index()?)?;
        }
        if !layout.root.join(LAYOUT_FILE).exists() {
            layout.write(LAYOUT_FILE, LAYOUT)?;
        }
        Self::open(root)
    }

    /// The directory for temporary files that become blobs.
    pub fn scratch(&self) -> PathBuf {
        self.root.join(SCRATCH)
    }

    /// Adds an image under `tag`, which it takes from the image that had it before.
    pub fn add(&self, image: Image, tag: &Tag) -> Result<Descriptor, LayoutError> {
        let descriptor = tagged(&image, tag)?;
        let _lock = self.lock()?;
        for layer in image.layers {
            let path = self.blob_path(layer.digest);
            layer.file.persist(&path).map_err(|error| using(&path)(error.error))?;
        }
        self.write_blob(image.config_digest, &image.config)?;
        self.write_blob(image.digest, &image.manifest)?;
        let mut index = self.index_to_change()?;
        let mut manifests = index.manifests().clone();
        manifests.retain(|other| tag_of(other) != Some(tag.as_ref()));
        manifests.push(descriptor.clone());
        index.set_manifests(manifests);
        self.write_index(&index)?;
        Ok(descriptor)
    }

    /// Lists an image without a tag whose blobs came by other means and are at their
    /// [paths](Self::blob_path). They are not looked at: that is for [`validate`](super::validate).
    pub fn adopt(&self, image: &Descriptor) -> Result<(), LayoutError> {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let mut manifests = index.manifests().clone();
        manifests.push(image.clone());
        index.set_manifests(manifests);
        self.write_index(&index)
    }

    /// All images: one descriptor for each tag.
    pub fn images(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let mut images = self.index()?.manifests().clone();
        images.retain(|listed| !is_referrer(listed));
        Ok(images)
    }

    /// The image of that digest.
    pub fn find(&self, digest: Sha256) -> Result<Option<Descriptor>, LayoutError> {
        let images = self.images()?;
        Ok(images.into_iter().find(|image| sha256(image) == Some(digest)))
    }

    /// The image that has that tag.
    pub fn find_tag(&self, tag: &Tag) -> Result<Option<Descriptor>, LayoutError> {
        let images = self.images()?;
        Ok(images.into_iter().find(|image| tag_of(image) == Some(tag.as_ref())))
    }

    /// The manifest of the image that `descriptor` names.
    pub fn manifest(&self, descriptor: &Descriptor) -> Result<ImageManifest, LayoutError> {
        self.json(descriptor)
    }

    /// The configuration that `manifest` names.
    pub fn configuration(
        &self,
        manifest: &ImageManifest,
    ) -> Result<ImageConfiguration, LayoutError> {
        self.json(manifest.config())
    }

    /// A manifest or configuration, checked against its descriptor. At most 4 MiB.
    pub fn read_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let digest = self.digest(descriptor)?;
        let path = self.blob_path(digest);
        let bytes = read_bounded(&path)?;
        let damaged = |reason: String| LayoutError::Damaged { path: path.clone(), reason };
        if bytes.len() as u64 != descriptor.size() {
            let expected = descriptor.size();
            return Err(damaged(format!("{} bytes instead of {expected}", bytes.len())));
        }
        match Sha256::of(&bytes) {
            actual if actual == digest => Ok(bytes),
            actual => Err(damaged(format!("its digest is {actual}"))),
        }
    }

    /// A blob of any size, unchecked, and its size in bytes.
    pub fn open_blob(&self, digest: Sha256) -> Result<(File, u64), LayoutError> {
        let path = self.blob_path(digest);
        plain_file::open(&path).map_err(using(&path))
    }

    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: Sha256) -> PathBuf {
        self.root.join(blob_name(digest))
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of all blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join(BLOBS)
    }

    pub(super) fn digest(&self, descriptor: &Descriptor) -> Result<Sha256, LayoutError> {
        sha256(descriptor).ok_or_else(|| LayoutError::Damaged {
            path: self.root.clone(),
            reason: format!("{} is not a SHA-256 digest", descriptor.digest()),
        })
    }

    fn json<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, LayoutError> {
        let bytes = self.read_blob(descriptor)?;
        let path = self.blob_path(self.digest(descriptor)?);
        serde_json::from_slice(&bytes).map_err(|source| LayoutError::Malformed { path, source })
    }

    /// Lists what is told of an image, once.
    pub(super) fn list(&self, referrer: &Descriptor) -> Result<(), LayoutError> {
        let _lock = self.lock()?;
        let mut index = self.index_to_change()?;
        let mut manifests = index.manifests().clone();
        if manifests.contains(referrer) {
            return Ok(());
        }
        manifests.push(referrer.clone());
        index.set_manifests(manifests);
        self.write_index(&index)
    }

    pub(super) fn index(&self) -> Result<ImageIndex, LayoutError> {
        let path = self.root.join(INDEX_FILE);
        let bytes = read_bounded(&path)?;
        serde_json::from_slice(&bytes).map_err(|source| LayoutError::Malformed { path, source })
    }

    /// The index, or an empty one in the place of one that means nothing: what it meant is lost, and
    /// no reason to keep no image any more.
    pub(super) fn index_to_change(&self) -> Result<ImageIndex, LayoutError> {
        match self.index() {
            Err(error) if error.is_lasting() => Ok(empty_index()?),
            index => index,
        }
    }

    pub(super) fn write_index(&self, index: &ImageIndex) -> Result<(), LayoutError> {
        let path = self.root.join(INDEX_FILE);
        let json =
            canonical_json(index).map_err(|source| LayoutError::Malformed { path, source })?;
        self.write(INDEX_FILE, &json)
    }

    /// Writes a blob whose digest is known.
    pub(super) fn write_blob(&self, digest: Sha256, bytes: &[u8]) -> Result<(), LayoutError> {
        self.write(&blob_name(digest), bytes)
    }

    /// Writes a file whole or not at all, surviving a crash of the machine.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        let path = self.root.join(name);
        let written = || -> io::Result<()> {
            // A layout that came as an archive has none.
            fs::create_dir_all(self.scratch())?;
            let mut file = NamedTempFile::new_in(self.scratch())?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(using(&path))
    }

    /// Held while what the index says, or is about to say, must stay true; released when the file
    /// is closed.
    pub(super) fn lock(&self) -> Result<File, LayoutError> {
        let path = self.root.join(LOCK_FILE);
        let lock = || {
            let file = plain_file::open_or_create(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(using(&path))
    }
}

fn empty_index() -> oci_spec::Result<ImageIndex> {
    ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(Vec::new())
        .build()
}

/// What the index says of an image.
fn tagged(image: &Image, tag: &Tag) -> oci_spec::Result<Descriptor> {
    let platform = PlatformBuilder::default()
        .os(image.platform.os())
        .architecture(image.platform.architecture())
        .build()?;
    let name = (ANNOTATION_REF_NAME.to_owned(), tag.to_string());
    let mut descriptor = image.descriptor.clone();
    descriptor.set_platform(Some(platform));
    descriptor.set_annotations(Some(HashMap::from([name])));
    Ok(descriptor)
}

pub(super) fn tag_of(descriptor: &Descriptor) -> Option<&str> {
    let annotations = descriptor.annotations().as_ref()?;
    annotations.get(ANNOTATION_REF_NAME).map(String::as_str)
}

fn blob_name(digest: Sha256) -> String {
    format!("{BLOBS}/{}", digest.hex())
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, LayoutError> {
    let (file, _) = plain_file::open(path).map_err(using(path))?;
    let mut bytes = Vec::new();
    file.take(MAX_JSON_BYTES + 1).read_to_end(&mut bytes).map_err(using(path))?;
    if bytes.len() as u64 > MAX_JSON_BYTES {
        return Err(LayoutError::Damaged {
            path: path.to_owned(),
            reason: format!("larger than {MAX_JSON_BYTES} bytes"),
        });
    }
    Ok(bytes)
}

pub(super) fn using(path: &Path) -> impl FnOnce(io::Error) -> LayoutError {
    let path = path.to_owned();
    |source| LayoutError::Io { path, source }
}
