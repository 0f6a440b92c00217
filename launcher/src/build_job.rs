//! `build-job`: what runs in the pod of a build, beside a toolchain that Selvedge did not make.
//!
//! It has no credential of anything. It fetches the source from the launcher, checks it, compiles
//! it, assembles the image and hands that back; the launcher judges the image and pushes it.

mod ahead;
mod error;
mod fetch_job;
mod fetched;
mod in_use;
mod mirror_job;
mod mirrored;
mod order;
mod outcome;
mod preparation;
mod transfer;
mod workshop;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{Base, ImagePlan, Layout, Tag, assemble};
use selvedge_buildpack::recipe::{Recipe, Toolchain, Workplace, carry_out};

use crate::error_chain::one_line;

pub(crate) use ahead::{Ahead, AheadError};
use error::BuildJobError;
pub(crate) use fetch_job::FetchJob;
pub(crate) use mirror_job::{MirrorJob, serve as serve_mirror};
use mirrored::Mirrored;
pub(crate) use order::BuildJob;
pub(crate) use outcome::Outcome;
use preparation::{dependencies, directory, failed, source, tools};
use transfer::Launcher;
#[cfg(test)]
pub(crate) use transfer::pack;
pub(crate) use workshop::PodWorkshop;

/// Which part of the build's layout is the image.
const TAG: &str = "image";

/// Where a copy of this program goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopySelf {
    /// The file; overwritten.
    pub(crate) to: PathBuf,
}

/// Builds, and writes the outcome to its file.
pub(crate) fn run(job: &BuildJob) -> ExitCode {
    tell(&build(job).map(Outcome::Image), &job.outcome)
}

/// Fetches what a build depends on, which waits for that, and writes why it cannot to the file of the outcome.
pub(crate) fn run_fetch(job: &FetchJob) -> ExitCode {
    let done = fetch_job::fetch(job);
    if let (Err(_), Some(file)) = (&done, &job.build.fetched)
        && let Err(error) = fetched::say(false, file)
    {
        // Then the build waits until it is ended for what is told below.
        eprintln!("{}", one_line(&error));
    }
    tell(&done.map(|()| Outcome::Fetched), &job.build.outcome)
}

/// Brings a build what it asks for, and writes why it cannot to the file of the outcome.
pub(crate) fn run_mirror(job: &MirrorJob) -> ExitCode {
    let done = mirror_job::run(job).map(|()| Outcome::Fetched).map_err(BuildJobError::from);
    tell(&done, &job.outcome)
}

fn tell(done: &Result<Outcome, BuildJobError>, file: &Path) -> ExitCode {
    match done {
        // The compiler has said it.
        Ok(_) | Err(BuildJobError::Compile(_)) => {}
        Err(error) => eprintln!("{}", one_line(error)),
    }
    if let Err(error) = fs::write(file, outcome(done).to_json()) {
        eprintln!("cannot write {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What there is to tell of a build.
fn outcome(done: &Result<Outcome, BuildJobError>) -> Outcome {
    match done {
        Ok(outcome) => outcome.clone(),
        Err(BuildJobError::Compile(lines)) => Outcome::Compile(lines.clone()),
        Err(BuildJobError::Killed) => Outcome::Killed,
        Err(error) => Outcome::Failed(one_line(error)),
    }
}

/// Copies this program: an image with nothing else in it has no `cp`.
pub(crate) fn copy_self(copy: &CopySelf) -> io::Result<()> {
    // The mode goes with it.
    fs::copy("/proc/self/exe", &copy.to).map(drop)
}

fn build(job: &BuildJob) -> Result<Sha256, BuildJobError> {
    let launcher = Launcher::at(&job.url)?;
    let base = base(&launcher, job)?;
    let source = source(&launcher, job)?;
    let recipe =
        job.language.recipe(&source, &job.path, job.platform).map_err(BuildJobError::Refused)?;
    let output = directory(job.work.join("output"))?;
    let place = Workplace { source: source.root(), output: &output };
    job.fetched.as_deref().map_or(Ok(()), fetched::wait)?;
    let tools = drawing(job, &*recipe, &place, tools(job, std::env::vars_os().collect())?)?;
    let mirror = Mirrored::of(job, &*recipe)?;
    let tools = mirror.as_ref().map_or(Ok(tools.clone()), |mirror| mirror.asking(&tools))?;
    let made = pollster::block_on(carry_out(&*recipe, &tools, &place, &mut PodWorkshop));
    if let Some(mirror) = mirror {
        mirror.end(made.is_ok());
    }
    let parts = made.map_err(|failure| failed(failure, &output))?;

    let images = Layout::create(&job.work.join("images"))?;
    let (form, platform) = (recipe.form(), job.platform);
    let plan = ImagePlan { base: &base, form: &form, parts: &parts, source: job.source, platform };
    let image = assemble(&plan, &images.scratch())?;
    let digest = image.digest();
    let tag: Tag = TAG.parse().expect("a word is a tag");
    images.add(image, &tag)?;
    launcher.hand_over(&images, &job.work.join("image.tar"))?;
    println!("the image is {digest}");
    Ok(digest)
}

/// The tools as they find what was fetched ahead.
fn drawing(
    job: &BuildJob,
    recipe: &dyn Recipe,
    place: &Workplace<'_>,
    tools: Toolchain,
) -> Result<Toolchain, BuildJobError> {
    let (Some(shared), Some(fetch)) = (dependencies(job), recipe.fetch()) else { return Ok(tools) };
    let own = directory(job.work.join("fetched"))?;
    let drawing = fetch.drawing(&tools, place, &shared, &own);
    drawing.map_err(|source| BuildJobError::File { path: own, source })
}

fn base(launcher: &Launcher, job: &BuildJob) -> Result<Base, BuildJobError> {
    let pem = launcher.certificates()?;
    let (expected, actual) = (job.certificates, Sha256::of(&pem));
    if actual != expected {
        return Err(BuildJobError::Certificates { expected, actual });
    }
    let pem = std::str::from_utf8(&pem).map_err(|_| BuildJobError::NoCertificates)?;
    Base::from_pem(pem).ok_or(BuildJobError::NoCertificates)
}
