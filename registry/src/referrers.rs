//! What is told of images beside them (`spec.md` of the distribution specification, "Listing
//! Referrers"): listed by the registry itself, or, where it knows nothing of that, under a tag that who
//! pushes has to keep.

use http::Method;
use oci_client::RegistryOperation;
use oci_client::manifest::{OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::OciSpecError;
use selvedge_buildpack::image::oci_spec::image::{
    Descriptor, ImageIndex, ImageIndexBuilder, ImageManifest, MediaType,
};
use selvedge_buildpack::image::{Layout, Referrer, ReferrerKind};
use tracing::info;

use super::bounded::{AskError, Bounded, MOST};
use super::{Registry, RegistryError};

/// How many of the manifests that refer to one image are looked at: whoever may push there can add some.
const MOST_REFERRERS: usize = 32;

/// Why what is told of an image cannot be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferError {
    /// The registry does not take the documents.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry does not take the manifests.
    #[error("the registry {registry} {reason}")]
    Refused {
        /// Which.
        registry: String,
        /// Why.
        reason: AskError,
    },
    /// What it lists cannot be written.
    #[error("cannot list what is told of the image")]
    List(#[from] serde_json::Error),
    /// It cannot be described.
    #[error("cannot describe what is told of the image")]
    Describe(#[from] OciSpecError),
}

/// How a registry lists what refers to an image.
enum Listing {
    /// By itself.
    Own(Vec<Descriptor>),
    /// Under a tag.
    Tagged(Vec<Descriptor>),
}

impl Bounded {
    /// What is told of an image, of the kinds that are known.
    pub async fn referrers(&self, image: Sha256) -> Result<Vec<Referrer>, AskError> {
        let (Listing::Own(listed) | Listing::Tagged(listed)) = self.listing(image).await?;
        let mut told = Vec::new();
        let kind = |listed: &&Descriptor| {
            let kind = listed.artifact_type().as_ref().map(AsRef::as_ref);
            kind.and_then(ReferrerKind::of).is_some()
        };
        for listed in listed.iter().filter(kind).take(MOST_REFERRERS) {
            let name = listed.digest().to_string();
            let Some(found) = self.manifest(&name, &[OCI_IMAGE_MEDIA_TYPE]).await? else {
                continue;
            };
            // What is none of ours is none of what was asked for.
            let manifest = serde_json::from_slice::<ImageManifest>(&found.bytes);
            told.extend(manifest.ok().and_then(|manifest| Referrer::of(&manifest, image)));
        }
        Ok(told)
    }

    async fn listing(&self, image: Sha256) -> Result<Listing, AskError> {
        let path = format!("referrers/{image}");
        let answer = self.ask(Method::GET, &path, |request| request, MOST).await?;
        // Older registries answer to an address that they do not know in ways of their own.
        if answer.status.is_success()
            && let Ok(index) = serde_json::from_slice::<ImageIndex>(&answer.body)
        {
            return Ok(Listing::Own(index.manifests().clone()));
        }
        let tagged = self.manifest(&tag(image), &[OCI_IMAGE_INDEX_MEDIA_TYPE]).await?;
        let index = tagged.map(|tagged| serde_json::from_slice::<ImageIndex>(&tagged.bytes));
        match index.transpose() {
            Ok(index) => {
                let listed = index.map(|index| index.manifests().clone());
                Ok(Listing::Tagged(listed.unwrap_or_default()))
            }
            Err(error) => Err(AskError::Malformed("an index", error)),
        }
    }

    /// Puts the manifest of what is told of an image there, and lists it where the registry does not.
    async fn refer(
        &self,
        image: Sha256,
        referrer: &Descriptor,
        manifest: &[u8],
    ) -> Result<(), ReferError> {
        let failed = |reason| ReferError::Refused { registry: self.registry().to_owned(), reason };
        let name = referrer.digest().to_string();
        self.put_manifest(&name, OCI_IMAGE_MEDIA_TYPE, manifest).await.map_err(failed)?;
        let Listing::Tagged(mut listed) = self.listing(image).await.map_err(failed)? else {
            return Ok(());
        };
        if listed.iter().any(|listed| listed.digest() == referrer.digest()) {
            return Ok(());
        }
        listed.push(referrer.clone());
        let index = serde_json::to_vec(&index(listed)?)?;
        let put = self.put_manifest(&tag(image), OCI_IMAGE_INDEX_MEDIA_TYPE, &index).await;
        put.map(drop).map_err(failed)
    }
}

impl Registry {
    /// What is told of an image there, of the kinds that are known.
    pub async fn referrers(&self, image: Sha256) -> Result<Vec<Referrer>, ReferError> {
        let told = self.bounded.referrers(image).await;
        told.map_err(|reason| ReferError::Refused {
            registry: self.repository.registry().to_owned(),
            reason,
        })
    }

    /// Pushes what is told of an image, which is there already: each of these manifests of the layout,
    /// and its documents.
    pub async fn refer(
        &self,
        images: &Layout,
        image: Sha256,
        referrers: &[Descriptor],
    ) -> Result<(), ReferError> {
        let target = self.any();
        self.sign_in(&target, RegistryOperation::Push).await?;
        for referrer in referrers {
            let manifest = images.manifest(referrer).map_err(RegistryError::Layout)?;
            for blob in manifest.layers().iter().chain([manifest.config()]) {
                self.push_blob(&target, images, blob).await?;
            }
            let bytes = images.read_blob(referrer).map_err(RegistryError::Layout)?;
            self.bounded.refer(image, referrer, &bytes).await?;
            info!(%image, digest = %referrer.digest(), "what is told of the image was pushed");
        }
        Ok(())
    }
}

/// The tag under which what refers to an image is listed.
fn tag(image: Sha256) -> String {
    format!("sha256-{}", image.hex())
}

fn index(listed: Vec<Descriptor>) -> Result<ImageIndex, OciSpecError> {
    ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(listed)
        .build()
}
