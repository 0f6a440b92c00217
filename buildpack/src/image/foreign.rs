//! What an image that somebody else made says of itself, in the words of OCI or of Docker: as much as
//! it takes to run it in a root of its own.

use std::fs;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde::Deserialize;

use super::compression::Compression;
use super::{Layout, LayoutError, sha256};
use crate::digest::Sha256;
use crate::platform::Platform;

/// The most layers: what overlay file systems of container engines bear.
const MOST_LAYERS: usize = 128;

/// The most that the layers may take as they come from a registry, in bytes.
const LARGEST: u64 = 8 << 30;

/// An image in a layout.
#[derive(Clone, Debug)]
pub struct Foreign {
    pub(super) layers: Vec<ForeignLayer>,
    process: Process,
}

/// A layer of it, and what that is said to hold.
#[derive(Clone, Debug)]
pub(super) struct ForeignLayer {
    pub(super) blob: Descriptor,
    pub(super) compression: Compression,
    pub(super) diff_id: String,
}

/// How an image starts its process (the OCI image specification, `config.md`); null, which Docker
/// writes, is nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Process {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

/// The configuration, as far as it matters here.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    config: Option<Process>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// Why an image cannot be run. Reads on from its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitImage {
    /// It cannot be read.
    #[error("cannot be read")]
    Layout(#[from] LayoutError),
    /// The configuration is none.
    #[error("has no configuration of an image")]
    Malformed(#[source] serde_json::Error),
    /// Its layers are none that are taken.
    #[error(transparent)]
    Blobs(#[from] UnfitBlobs),
    /// It was made for other machines.
    #[error("is for {found}, and {wanted} is wanted")]
    Platform {
        /// What it is for.
        found: String,
        /// What this machine is.
        wanted: Platform,
    },
    /// Manifest and configuration disagree, or there is no end of layers.
    #[error(
        "has {layers} layers and {diff_ids} diff IDs: it needs one for each, and at most {MOST_LAYERS}"
    )]
    Layers {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// It starts nothing.
    #[error("has neither an entrypoint nor a command")]
    NoCommand,
}

impl Foreign {
    /// The blobs that `manifest` names, configuration first, if they may be fetched.
    pub fn blobs(manifest: &ImageManifest) -> Result<Vec<&Descriptor>, UnfitBlobs> {
        let blobs: Vec<_> = [manifest.config()].into_iter().chain(manifest.layers()).collect();
        if let Some(blob) = blobs.iter().find(|blob| sha256(blob).is_none()) {
            return Err(UnfitBlobs::Digest(blob.digest().to_string()));
        }
        let bytes = blobs.iter().fold(0_u64, |sum, blob| sum.saturating_add(blob.size()));
        if bytes > LARGEST || blobs.len() > MOST_LAYERS + 1 {
            return Err(UnfitBlobs::Size { bytes, blobs: blobs.len() });
        }
        manifest.layers().iter().try_for_each(|layer| compression(layer).map(drop))?;
        Ok(blobs)
    }

    /// The manifest of an image of which nothing is missing; what is damaged shows when it is laid out.
    pub fn known(layout: &Layout, image: Sha256, wanted: Platform) -> Option<ImageManifest> {
        let json = layout.read_blob(&layout.find(image).ok()??).ok()?;
        let manifest = match Document::parse(&json).ok()? {
            Document::One(manifest) => *manifest,
            Document::Several(several) => {
                let one = several.digest_for(wanted).ok()?;
                // The use of the one is that of the other.
                layout.touch(one).ok()?;
                layout.manifest(&layout.find(one).ok()??).ok()?
            }
        };
        let is_there = |blob: &&Descriptor| {
            let found = sha256(blob).and_then(|digest| layout.open_blob(digest).ok());
            found.is_some_and(|(_, size)| size == blob.size())
        };
        let is_whole = Self::blobs(&manifest).ok()?.iter().all(is_there);
        is_whole.then_some(manifest)
    }

    /// Reads what the image says, whose layers need not be there.
    pub fn read(
        layout: &Layout,
        manifest: &ImageManifest,
        wanted: Platform,
    ) -> Result<Self, UnfitImage> {
        let json = layout.read_blob(manifest.config());
        // What is damaged is fetched again.
        let json = json.inspect_err(|_| remove(layout, manifest.config()))?;
        let configuration: Configuration =
            serde_json::from_slice(&json).map_err(UnfitImage::Malformed)?;
        let Configuration { os, architecture, config, rootfs } = configuration;
        if os != wanted.os() || architecture != wanted.architecture() {
            let found = format!("{}/{}", os.escape_debug(), architecture.escape_debug());
            return Err(UnfitImage::Platform { found, wanted });
        }
        let (layers, diff_ids) = (manifest.layers().clone(), rootfs.diff_ids);
        if layers.len() != diff_ids.len() || layers.len() > MOST_LAYERS {
            let (layers, diff_ids) = (layers.len(), diff_ids.len());
            return Err(UnfitImage::Layers { layers, diff_ids });
        }
        let layer =
            |(blob, diff_id)| Ok(ForeignLayer { compression: compression(&blob)?, blob, diff_id });
        let layers = layers.into_iter().zip(diff_ids).map(layer);
        let layers = layers.collect::<Result<_, UnfitBlobs>>()?;
        let foreign = Self { layers, process: config.unwrap_or_default() };
        if foreign.command().is_empty() { Err(UnfitImage::NoCommand) } else { Ok(foreign) }
    }

    /// Forgets its layers, of which something is damaged: they are fetched again.
    pub fn forget(&self, layout: &Layout) {
        self.layers.iter().for_each(|layer| remove(layout, &layer.blob));
    }

    /// The program with its arguments: the entrypoint, and behind it the command.
    pub fn command(&self) -> Vec<String> {
        let Process { entrypoint, cmd, .. } = &self.process;
        entrypoint.iter().chain(cmd).flatten().cloned().collect()
    }

    /// The variables.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.process.env.iter().flatten();
        // The specification's own default, which engines set where an image does not.
        [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")]
            .into_iter()
            .chain(pairs.filter_map(|pair| pair.split_once('=')))
    }

    /// Where the process begins.
    pub fn directory(&self) -> &str {
        self.process.working_dir.as_deref().filter(|path| !path.is_empty()).unwrap_or("/")
    }

    /// The number of its user; none where it names one, or root, or nobody.
    pub fn user(&self) -> Option<u32> {
        let user = self.process.user.as_deref()?.split(':').next()?;
        user.parse().ok().filter(|number| *number != 0)
    }
}

fn compression(layer: &Descriptor) -> Result<Compression, UnfitBlobs> {
    let kind = || layer.media_type().to_string().escape_debug().to_string();
    Compression::of(layer).ok_or_else(|| UnfitBlobs::Layer(kind()))
}

fn remove(layout: &Layout, blob: &Descriptor) {
    if let Some(digest) = sha256(blob) {
        // One that stays is met again, and told of again.
        let _ = fs::remove_file(layout.blob_path(digest));
    }
}

/// What an image's digest names.
pub enum Document {
    /// The image.
    One(Box<ImageManifest>),
    /// Images for several platforms.
    Several(Several),
}

/// Images for several platforms.
pub struct Several(Vec<Descriptor>);

impl Document {
    /// Reads it by what is in it: a media type is not always there.
    pub fn parse(json: &[u8]) -> serde_json::Result<Self> {
        match serde_json::from_slice::<ImageIndex>(json) {
            Ok(index) => Ok(Self::Several(Several(index.manifests().clone()))),
            Err(_) => serde_json::from_slice(json).map(|manifest| Self::One(Box::new(manifest))),
        }
    }
}

impl Several {
    /// The one for the platform; for which there are, if it is not among them.
    pub fn digest_for(&self, wanted: Platform) -> Result<Sha256, String> {
        let all = self.0.iter().filter_map(|one| Some((one, one.platform().as_ref()?)));
        let named = all.map(|(one, of)| (one, of.os().to_string(), of.architecture().to_string()));
        let mut found = Vec::new();
        for (one, os, architecture) in named {
            if os == wanted.os() && architecture == wanted.architecture() {
                return sha256(one).ok_or_else(|| one.digest().to_string());
            }
            // What lies beside images says that it is for no platform.
            if os != "unknown" {
                found.push(format!("{}/{}", os.escape_debug(), architecture.escape_debug()));
            }
        }
        Err(found.join(", "))
    }
}

/// Why an image is not fetched. Reads on from its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitBlobs {
    /// A digest of another kind.
    #[error("has the blob {0}, which is not named by a SHA-256 digest")]
    Digest(String),
    /// A layer of another kind.
    #[error(
        "has a layer of the media type {0}: those of OCI and Docker are taken, as they are or \
         compressed with gzip or zstd"
    )]
    Layer(String),
    /// There is too much of it.
    #[error("has {bytes} bytes in {blobs} blobs: at most {LARGEST} in {} are taken", MOST_LAYERS + 1)]
    Size {
        /// All of it.
        bytes: u64,
        /// In so many.
        blobs: usize,
    },
}
