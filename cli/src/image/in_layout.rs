//! An image in a directory: an OCI image layout, such as the launcher keeps with the `local` backend.

use std::path::Path;

use anyhow::{Context, bail};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{Layout, sha256};

use super::read::{Read, manifest};

/// Reads the image, the only one if it is not said which.
pub(super) fn read(directory: &Path, which: Option<&str>) -> anyhow::Result<Read> {
    let layout = Layout::open(directory)?;
    let image = choose(&layout, directory, which)?;
    let digest = sha256(&image).context("its digest is none of SHA-256")?;
    let manifest = manifest(&layout.read_blob(&image)?)?;
    let configuration = layout.configuration(&manifest)?;
    let documents = layout.referrers(digest)?.into_iter().filter_map(|told| {
        let document = layout.read_blob(&told.document).ok()?;
        Some((told.kind, document))
    });
    let documents = documents.collect();
    let name = format!("oci:{}@{digest}", directory.display());
    Ok(Read { name, digest, manifest, configuration, documents })
}

fn choose(layout: &Layout, directory: &Path, which: Option<&str>) -> anyhow::Result<Descriptor> {
    let directory = directory.display();
    if let Some(which) = which {
        let found = match which.parse::<Sha256>() {
            Ok(digest) => layout.find(digest)?,
            Err(_) => layout.find_tag(&which.parse()?)?,
        };
        return found.with_context(|| format!("{directory} has no image {which}"));
    }
    let mut images = layout.images()?;
    // One image may have several tags.
    images.dedup_by(|one, other| one.digest() == other.digest());
    match images.len() {
        1 => Ok(images.remove(0)),
        0 => bail!("{directory} has no image"),
        _ => {
            let digests: Vec<_> = images.iter().map(|image| image.digest().to_string()).collect();
            let digests = digests.join(", ");
            bail!("{directory} has several images; name one, as oci:{directory}@DIGEST: {digests}")
        }
    }
}
