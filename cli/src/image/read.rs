//! An image as it was read, wherever it lay: what describes it, and the documents beside it. Its
//! layers were not looked at.

use anyhow::{Context, bail};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::ReferrerKind;
use selvedge_buildpack::image::oci_spec::image::{ImageConfiguration, ImageManifest};
use serde::Deserialize;

use crate::screen::plain;

/// The image.
pub(crate) struct Read {
    /// By which it was called.
    pub(crate) name: String,
    pub(crate) digest: Sha256,
    pub(crate) manifest: ImageManifest,
    pub(crate) configuration: ImageConfiguration,
    /// What is told of it.
    pub(crate) documents: Vec<(ReferrerKind, Vec<u8>)>,
}

impl Read {
    /// The first document of a kind.
    pub(crate) fn document(&self, kind: ReferrerKind) -> Option<&[u8]> {
        let found = self.documents.iter().find(|(of, _)| *of == kind);
        found.map(|(_, document)| document.as_slice())
    }
}

/// Several images in one, each for machines of its own.
#[derive(Deserialize)]
struct Several {
    manifests: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    digest: String,
}

/// The manifest of an image: of several in one, none is taken for all.
pub(crate) fn manifest(bytes: &[u8]) -> anyhow::Result<ImageManifest> {
    if let Ok(Several { manifests }) = serde_json::from_slice(bytes) {
        let digests: Vec<_> = manifests.iter().map(|one| plain(&one.digest)).collect();
        bail!("it is several images in one; name one of them: {}", digests.join(", "));
    }
    serde_json::from_slice(bytes).context("its manifest is none of an image")
}
