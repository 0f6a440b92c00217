//! What is told of an image beside it: a manifest of its own that refers to the image by its digest
//! (`manifest.md` of the image specification, "Guidelines for Artifact Usage"). An image without it is
//! the same image.

use std::fmt;

use oci_spec::image::{Descriptor, Digest, ImageManifest, ImageManifestBuilder, MediaType};

use super::descriptor::{canonical_json, describe, is_referrer};
use super::{Layout, LayoutError, sha256};
use crate::digest::Sha256;

/// What a document tells of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrerKind {
    /// What it is made of.
    Sbom,
    /// How it came about.
    Provenance,
}

/// A document that refers to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// What it tells.
    pub kind: ReferrerKind,
    /// The document.
    pub document: Descriptor,
}

/// The configuration of what has none (`scratch` in the image specification).
const EMPTY: &[u8] = b"{}";

impl ReferrerKind {
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::Sbom, Self::Provenance];

    /// The type of the artifact, and of the document in it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Sbom => "application/vnd.cyclonedx+json",
            Self::Provenance => "application/vnd.in-toto+json",
        }
    }

    /// What is of this type, if anything that is known.
    pub fn of(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == media_type)
    }
}

impl fmt::Display for ReferrerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sbom => "SBOM",
            Self::Provenance => "provenance",
        })
    }
}

impl Referrer {
    /// The document of a manifest that refers to the image; none of another one.
    pub fn of(manifest: &ImageManifest, image: Sha256) -> Option<Self> {
        let kind = ReferrerKind::of(manifest.artifact_type().as_ref()?.as_ref())?;
        if sha256(manifest.subject().as_ref()?) != Some(image) {
            return None;
        }
        match manifest.layers().as_slice() {
            [document] => Some(Self { kind, document: document.clone() }),
            _ => None,
        }
    }
}

impl Layout {
    /// Keeps a document beside the image that it is about; its manifest.
    pub fn refer(
        &self,
        image: &Descriptor,
        kind: ReferrerKind,
        document: &[u8],
    ) -> Result<Descriptor, LayoutError> {
        let media_type = MediaType::from(kind.media_type());
        let blob = |kind: MediaType, bytes: &[u8]| -> Result<Descriptor, LayoutError> {
            let digest = Sha256::of(bytes);
            self.write_blob(digest, bytes)?;
            Ok(describe(kind, digest, bytes.len() as u64)?)
        };
        let config = blob(MediaType::EmptyJSON, EMPTY)?;
        let layer = blob(media_type.clone(), document)?;
        let kept = manifest(image, media_type.clone(), config, layer)?;
        let malformed = |source| LayoutError::Malformed { path: self.root().to_owned(), source };
        let json = canonical_json(&kept).map_err(malformed)?;
        let mut referrer = blob(MediaType::ImageManifest, &json)?;
        referrer.set_artifact_type(Some(media_type));
        self.list(&referrer)?;
        Ok(referrer)
    }

    /// What is told of an image, as far as it is there.
    pub fn referrers(&self, image: Sha256) -> Result<Vec<Referrer>, LayoutError> {
        let referrers = self.index()?.manifests().clone();
        let told = referrers.iter().filter(|listed| is_referrer(listed)).filter_map(|listed| {
            let referrer = Referrer::of(&self.manifest(listed).ok()?, image)?;
            self.read_blob(&referrer.document).is_ok().then_some(referrer)
        });
        Ok(told.collect())
    }
}

fn manifest(
    image: &Descriptor,
    kind: MediaType,
    config: Descriptor,
    document: Descriptor,
) -> oci_spec::Result<ImageManifest> {
    // As registries know it: without what an index has to say besides.
    let digest = Digest::try_from(image.digest().to_string())?;
    let subject = Descriptor::new(image.media_type().clone(), image.size(), digest);
    ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .artifact_type(kind)
        .config(config)
        .layers([document])
        .subject(subject)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Descriptor {
        describe(MediaType::ImageManifest, Sha256::of(b"image"), 7).unwrap()
    }

    #[test]
    fn what_is_told_is_kept_beside_the_image_and_once() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        layout.adopt(&image()).unwrap();
        let kept = layout.refer(&image(), ReferrerKind::Sbom, b"{\"a\":1}").unwrap();
        assert_eq!(layout.refer(&image(), ReferrerKind::Sbom, b"{\"a\":1}").unwrap(), kept);
        layout.refer(&image(), ReferrerKind::Provenance, b"{}").unwrap();

        let told = layout.referrers(Sha256::of(b"image")).unwrap();
        let kinds: Vec<_> = told.iter().map(|referrer| referrer.kind).collect();
        assert_eq!(kinds, ReferrerKind::ALL);
        assert_eq!(layout.read_blob(&told[0].document).unwrap(), b"{\"a\":1}");
        assert_eq!(layout.referrers(Sha256::of(b"another")).unwrap(), []);
        // None of it is an image.
        assert_eq!(layout.images().unwrap(), [image()]);
        assert_eq!(layout.find(sha256(&kept).unwrap()).unwrap(), None);
    }

    #[test]
    fn what_is_lost_is_not_told() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        layout.refer(&image(), ReferrerKind::Sbom, b"{\"a\":1}").unwrap();
        std::fs::write(layout.blob_path(Sha256::of(b"{\"a\":1}")), b"{\"a\":2}").unwrap();
        assert_eq!(layout.referrers(Sha256::of(b"image")).unwrap(), []);
    }

    /// What registries and other tools find it by.
    #[test]
    fn golden_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        let kept = layout.refer(&image(), ReferrerKind::Provenance, b"{}").unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&layout.read_blob(&kept).unwrap()).unwrap();
        let shown = serde_json::to_string_pretty(&json).unwrap() + "\n";
        golden::golden_text("tests/golden/referrer.json", &shown);
    }
}
