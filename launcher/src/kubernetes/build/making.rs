//! How the image of a source comes about: it is found, another launcher's Job is waited for, or a
//! Job of this launcher's makes it; what is compiled already needs none (`ready.rs`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use selvedge_buildpack::attestation::Seen;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{BuildKey, Layout, NativeModule, Origin, Runtime, Tag, sha256};
use selvedge_buildpack::recipe::Recipe;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::builds::Builds;
use super::custody::Custody;
use super::error::ClusterBuildError;
use super::follow::FollowError;
use super::handover::{Offer, Ticket, Upload};
use super::job::{Begun, BuildJobHandle, begin};
use super::judge::{IMAGE_LIMIT, Rejected, judge, look_at, look_over};
use super::made::Made;
use super::manifest::BuildOrder;
use super::pulse;
use super::reach::Reach;
use super::said::Said;
use super::toolchain::Toolchain;
use super::verdict::JobFailure;
use crate::build_job::Outcome;
use crate::data::TemporaryDirectory;
use crate::error_chain::one_line;
use crate::source::StagedSource;
use selvedge_registry::{Pulled, Registry, RuntimeImage};

/// How often a build is begun anew that another launcher's failure ended.
const ATTEMPTS: usize = 3;

/// What one build is about.
pub(super) struct Wanted<'a> {
    pub(super) source: &'a StagedSource,
    pub(super) digest: Sha256,
    /// What compiles, if anything has to.
    pub(super) toolchain: Option<Toolchain>,
    pub(super) key: BuildKey,
    pub(super) recipe: Box<dyn Recipe>,
    pub(super) limit: Duration,
    pub(super) registry: Registry,
    /// What the image stands on, if it needs something to.
    pub(super) runtime: Option<RuntimeImage>,
    pub(super) said: &'a Said,
    /// The Secrets that the Job's images are pulled with.
    pub(super) pull_secrets: Vec<String>,
}

impl Builds {
    /// The source's image, found or made.
    pub(super) async fn image(
        &self,
        wanted: &Wanted<'_>,
        log: &mpsc::Sender<String>,
    ) -> Result<Made, ClusterBuildError> {
        let mut is_followed = false;
        for _ in 0..ATTEMPTS {
            if let Some(image) = self.found(wanted, log).await? {
                info!(digest = %image.digest, "the image of this source is there already");
                return Ok(Made { seen: image.seen.filter(|_| !is_followed), ..image });
            }
            let Some(toolchain) = &wanted.toolchain else { return self.laid_out(wanted).await };
            let attempt = attempt_name().map_err(ClusterBuildError::Offer)?;
            let alive_at = pulse::now();
            let order = self.order(wanted, &toolchain.image, &attempt, &alive_at);
            match begin(&self.ground, &order, &self.ends).await? {
                Begun::Ours(job, custody) => {
                    return self.make(&order, job, custody, wanted, log).await;
                }
                Begun::There(job) => Box::pin(job.see_out(log)).await?,
            }
            is_followed = true;
        }
        Err(ClusterBuildError::Unlucky(ATTEMPTS))
    }

    /// The image that the registry has under the key's tag, if it is what the source makes: whoever
    /// may push there may have put another one under it.
    async fn found(
        &self,
        wanted: &Wanted<'_>,
        log: &mpsc::Sender<String>,
    ) -> Result<Option<Made>, ClusterBuildError> {
        let tag = wanted.key.tag();
        let Some(digest) = wanted.registry.find(&tag).await? else { return Ok(None) };
        let files = self.data.temporary("found").map_err(ClusterBuildError::Offer)?;
        let images = Layout::create(&files.path().join("images")).map_err(Rejected::Layout)?;
        let runtime = wanted.runtime.as_ref().map(|image| image.runtime.clone());
        let below = runtime.as_ref().map(Runtime::layers).unwrap_or_default();
        let image = match wanted.registry.pull(digest, &images, below, IMAGE_LIMIT).await? {
            Pulled::Here(fetched) => *fetched,
            Pulled::Unfit => return Ok(self.refuse(&tag, &Rejected::Unfit, wanted, log).await),
        };
        let origin = self.origin(wanted)?;
        let below = below.len();
        let look = move || -> Result<_, Rejected> {
            match runtime {
                Some(runtime) => look_over(&images, &image, &runtime, &origin)?,
                None => look_at(&images, &image, &origin)?,
            }
            let manifest = images.manifest(&image)?;
            let layers = manifest.layers().get(below..).unwrap_or_default().to_vec();
            Ok(Made { digest, seen: Some(Seen::Found), images, image, layers, _files: files })
        };
        let looked = spawn_blocking(look).await;
        match looked.map_err(|error| ClusterBuildError::Offer(error.into()))? {
            Ok(made) => Ok(Some(made)),
            Err(rejected) => Ok(self.refuse(&tag, &rejected, wanted, log).await),
        }
    }

    /// Says that what the registry has is not taken: the source is built anew.
    async fn refuse<T>(
        &self,
        tag: &Tag,
        rejected: &Rejected,
        wanted: &Wanted<'_>,
        log: &mpsc::Sender<String>,
    ) -> Option<T> {
        let (image, reason) = (format!("{}:{tag}", wanted.said.repository), one_line(rejected));
        warn!(image, reason, "what the registry has is not taken");
        let line = format!(
            "what the registry has as {image} was not made of this source: {reason}; building it \
             anew (who else may push there?)"
        );
        let _ = log.send(line).await;
        None
    }

    fn origin(&self, wanted: &Wanted<'_>) -> Result<Origin, ClusterBuildError> {
        let base = self.base.diff_id().map_err(ClusterBuildError::Offer)?;
        let form = wanted.recipe.form();
        Ok(Origin { base, source: wanted.digest, form, platform: self.platform })
    }

    /// Sees a Job through that this launcher began.
    async fn make(
        &self,
        order: &BuildOrder<'_>,
        job: BuildJobHandle<'_>,
        custody: Box<Custody>,
        wanted: &Wanted<'_>,
        log: &mpsc::Sender<String>,
    ) -> Result<Made, ClusterBuildError> {
        let files = self.data.temporary("build").map_err(ClusterBuildError::Offer)?;
        let mut ticket = self.offer(wanted, &files, order.fetches()).await?;
        let launcher = SocketAddr::new(self.ground.pod.ip, self.handover.port());
        let url = format!("http://{launcher}{}", ticket.path());
        job.release(order, &url, &self.reach(wanted.said, launcher)).await?;
        let began = format!("compiling with {} in the Job {}", order.toolchain, job.name());
        let _ = log.send(began).await;

        let mut following = pin!(job.follow(log));
        let (outcome, taken) = tokio::select! {
            outcome = &mut following => (outcome, None),
            upload = ticket.upload() => {
                // The registry takes it while the kubelet sees that the build has ended.
                let taking = self.take(upload, &files, wanted);
                let (outcome, taken) = tokio::join!(following, taking);
                (outcome, Some(taken))
            }
        };
        if has_ended(&outcome) {
            custody.leave();
        }
        match (outcome, taken) {
            // Why the image was not taken is the cause of whatever the Job says.
            (_, Some(Err(error))) => Err(error),
            (Ok(Outcome::Image(said)), Some(Ok(taken))) if said == taken.left => {
                let Taken { pushed: digest, images, image, layers, .. } = taken;
                Ok(Made { digest, seen: Some(Seen::Built), images, image, layers, _files: files })
            }
            (Ok(Outcome::Image(said)), Some(Ok(Taken { left, .. }))) => {
                Err(ClusterBuildError::Tampered { left, said })
            }
            (Ok(_), _) => Err(ClusterBuildError::NothingLeft),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Takes the image that the build leaves, if it is what it should be, and pushes it.
    async fn take(
        &self,
        upload: Upload,
        files: &TemporaryDirectory,
        wanted: &Wanted<'_>,
    ) -> Result<Taken, ClusterBuildError> {
        let judged = self.judge(files.path(), wanted).await;
        upload.answer(judged.as_ref().map(drop).map_err(|error| one_line(error)));
        let (images, image) = judged?;
        let whole = match &wanted.runtime {
            None => image.clone(),
            Some(below) => {
                expect_one_libc(&images, &image, below).await?;
                wanted.registry.copy(below).await?;
                below.runtime.below(&images, &image).map_err(Rejected::Layout)?
            }
        };
        wanted.registry.push(&images, &whole, &wanted.key.tag()).await?;
        let layers = images.manifest(&image).map_err(Rejected::Layout)?.layers().clone();
        match [&image, &whole].map(sha256) {
            [Some(left), Some(pushed)] => Ok(Taken { left, pushed, images, image: whole, layers }),
            _ => Err(ClusterBuildError::NothingLeft),
        }
    }

    async fn judge(
        &self,
        files: &Path,
        wanted: &Wanted<'_>,
    ) -> Result<(Layout, Descriptor), ClusterBuildError> {
        let origin = self.origin(wanted)?;
        let (upload, target) = (upload_path(files), files.join("image"));
        let judged = spawn_blocking(move || judge(&upload, &target, &origin)).await;
        Ok(judged.map_err(|error| ClusterBuildError::Offer(error.into()))??)
    }

    async fn offer(
        &self,
        wanted: &Wanted<'_>,
        files: &TemporaryDirectory,
        fetches: bool,
    ) -> Result<Ticket, ClusterBuildError> {
        let tar = files.path().join("source.tar");
        let (source, target) = (wanted.source.source.clone(), tar.clone());
        let written = spawn_blocking(move || {
            let file = std::fs::File::create_new(target).map_err(ClusterBuildError::Offer)?;
            Ok(source.write_tar(file)?)
        });
        let written: Result<Sha256, ClusterBuildError> =
            written.await.map_err(|error| ClusterBuildError::Offer(error.into()))?;
        written?;
        let offer = Offer {
            certificates: self.certificates.clone(),
            source: tar,
            takers: if fetches { 2 } else { 1 },
            upload: upload_path(files.path()),
        };
        self.handover.offer(offer).map_err(ClusterBuildError::Offer)
    }

    fn reach<'a>(&'a self, said: &'a Said, launcher: SocketAddr) -> Reach<'a> {
        Reach {
            launcher,
            namespace: &self.ground.pod.peer.namespace,
            labels: &self.ground.pod.peer.labels,
            name_servers: &self.name_servers,
            api_server: &self.api_server,
            except: &said.builds.egress.except,
            allow: &said.builds.egress.allow,
        }
    }

    fn order<'a>(
        &'a self,
        wanted: &'a Wanted<'_>,
        toolchain: &'a str,
        attempt: &'a str,
        alive_at: &'a str,
    ) -> BuildOrder<'a> {
        BuildOrder {
            namespace: &self.ground.namespace,
            key: wanted.key,
            source: wanted.digest,
            certificates: Sha256::of(&self.certificates),
            language: wanted.source.language,
            path: &wanted.source.path,
            platform: self.platform,
            toolchain,
            is_fetched: wanted.recipe.fetch().is_some(),
            mirror: wanted.recipe.mirror(),
            launcher_image: &self.launcher_image,
            begun_by: &self.ground.pod.uid,
            alive_at,
            attempt,
            pull_secrets: &wanted.pull_secrets,
            limit: wanted.limit.as_secs(),
            settings: &wanted.said.builds,
        }
    }
}

/// Refuses native modules that the runtime could not load.
async fn expect_one_libc(
    images: &Layout,
    image: &Descriptor,
    runtime: &RuntimeImage,
) -> Result<(), ClusterBuildError> {
    let Some(module) = NativeModule::first(images, image).map_err(Rejected::Layout)? else {
        return Ok(());
    };
    match runtime.libc().await? {
        Some(libc) if libc != module.libc => {
            let NativeModule { path, libc: needed } = module;
            Err(Rejected::Libc { path, needed, runtime: runtime.to_string(), has: libc }.into())
        }
        _ => Ok(()),
    }
}

/// What became of what a build left.
struct Taken {
    /// The image that it left.
    left: Sha256,
    /// The one that was pushed: that over its runtime, if it needs one.
    pushed: Sha256,
    /// Where it is here, and its own layers.
    images: Layout,
    image: Descriptor,
    layers: Vec<Descriptor>,
}

/// Whether nothing of the Job goes on; Kubernetes clears it away.
fn has_ended(outcome: &Result<Outcome, FollowError>) -> bool {
    use JobFailure::{CannotStart, NoNode, NoPod};
    !matches!(
        outcome,
        Err(FollowError::Api(_) | FollowError::Job(CannotStart { .. } | NoPod { .. } | NoNode(_)))
    )
}

fn upload_path(files: &Path) -> PathBuf {
    files.join("upload.tar")
}

/// A few random digits.
fn attempt_name() -> std::io::Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)?;
    Ok(format!("{:08x}", u32::from_be_bytes(random)))
}
