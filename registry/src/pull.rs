//! An image fetched from the registry, to be looked at: what a registry has under a tag is what
//! whoever may push there left.

use oci_client::errors::OciDistributionError;
use oci_client::{Reference, RegistryOperation};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::{Descriptor, Digest, MediaType};
use selvedge_buildpack::image::{Layout, sha256};
use tokio::io::AsyncWriteExt;
use tokio_stream::StreamExt;

use super::{Registry, RegistryError};

/// An image that was to be fetched.
#[derive(Debug, PartialEq, Eq)]
pub enum Pulled {
    /// It is in the layout, not looked at yet.
    Here(Box<Descriptor>),
    /// It is not fetched: it says of itself that it is larger than it may be, or is named by digests
    /// that ours are not.
    Unfit,
}

impl Registry {
    /// Fetches an image, of `limit` bytes at most, into the layout; where it
    /// has the layers `below` as its lowest, these are not fetched and do not count.
    pub async fn pull(
        &self,
        image: Sha256,
        images: &Layout,
        below: &[Descriptor],
        limit: u64,
    ) -> Result<Pulled, RegistryError> {
        let reference = self.by_digest(image);
        let subject = reference.to_string();
        let (document, manifest) = self.manifest(&reference).await?.ok_or_else(|| {
            self.no_image(&subject, &"it was there a moment ago, and is not any more")
        })?;
        let layers = manifest.layers().strip_prefix(below).unwrap_or(manifest.layers());
        let blobs: Vec<&Descriptor> = layers.iter().chain([manifest.config()]).collect();
        let size = blobs.iter().fold(0, |size: u64, blob| size.saturating_add(blob.size()));
        if size > limit || blobs.iter().any(|blob| sha256(blob).is_none()) {
            return Ok(Pulled::Unfit);
        }
        self.sign_in(&reference, RegistryOperation::Pull).await?;
        for blob in blobs {
            self.pull_blob(&reference, images, blob).await?;
        }
        let digest =
            Digest::try_from(image.to_string()).map_err(|error| self.no_image(&subject, &error))?;
        tokio::fs::write(images.blob_path(image), &document)
            .await
            .map_err(|source| RegistryError::Keep { blob: image, source })?;
        let size = document.len() as u64;
        let image = Descriptor::new(MediaType::ImageManifest, size, digest);
        images.adopt(&image)?;
        Ok(Pulled::Here(Box::new(image)))
    }

    async fn pull_blob(
        &self,
        reference: &Reference,
        images: &Layout,
        blob: &Descriptor,
    ) -> Result<(), RegistryError> {
        let name = blob.digest().to_string();
        let failed = |error| self.failed(&name, error);
        let Some(digest) = sha256(blob) else { return Ok(()) };
        let keep = |source| RegistryError::Keep { blob: digest, source };
        let mut file = tokio::fs::File::create(images.blob_path(digest)).await.map_err(keep)?;
        let mut content =
            self.client.pull_blob_stream(reference, name.as_str()).await.map_err(failed)?;
        let mut size: u64 = 0;
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|error| failed(OciDistributionError::IoError(error)))?;
            size += chunk.len() as u64;
            if size > blob.size() {
                let reason = format!("it has more than the {} bytes that it should", blob.size());
                return Err(self.no_image(&name, &reason));
            }
            file.write_all(&chunk).await.map_err(keep)?;
        }
        file.flush().await.map_err(keep)
    }
}
