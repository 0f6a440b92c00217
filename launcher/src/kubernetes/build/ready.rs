//! The image of what is compiled already: the launcher lays it out itself. Nothing of a package is
//! run for that, so it needs no Job.

use std::error::Error;

use selvedge_buildpack::attestation::Seen;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{ImagePlan, Layout, assemble, sha256};
use selvedge_buildpack::recipe::Workplace;
use tokio::task::spawn_blocking;

use super::builds::Builds;
use super::error::ClusterBuildError;
use super::made::Made;
use super::making::Wanted;

impl Builds {
    /// Makes the image and pushes it.
    pub(super) async fn laid_out(&self, wanted: &Wanted<'_>) -> Result<Made, ClusterBuildError> {
        let files = self.data.temporary("build").map_err(failed)?;
        let place = Workplace { source: wanted.source.source.root(), output: files.path() };
        let (parts, form) = (wanted.recipe.parts(&place).map_err(failed)?, wanted.recipe.form());
        let (base, source, platform) = (self.base.clone(), wanted.digest, self.platform);
        let (target, tag) = (files.path().join("image"), wanted.key.tag());
        let made = spawn_blocking(move || -> Result<(Layout, Descriptor), Failure> {
            let images = Layout::create(&target)?;
            let plan = ImagePlan { base: &base, form: &form, parts: &parts, source, platform };
            let image = images.add(assemble(&plan, &images.scratch())?, &tag)?;
            Ok((images, image))
        });
        let (images, image) = made.await.map_err(failed)?.map_err(ClusterBuildError::Image)?;
        wanted.registry.push(&images, &image, &wanted.key.tag()).await?;
        let digest = sha256(&image).ok_or(ClusterBuildError::NothingLeft)?;
        let layers = images.manifest(&image).map_err(failed)?.layers().clone();
        Ok(Made { digest, seen: Some(Seen::Built), images, image, layers, _files: files })
    }
}

type Failure = Box<dyn Error + Send + Sync>;

fn failed(error: impl Error + Send + Sync + 'static) -> ClusterBuildError {
    ClusterBuildError::Image(error.into())
}
