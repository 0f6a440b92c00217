//! `build-job`: what runs in the pod of a build, beside a toolchain that Selvedge did not make.
//!
//! It has no credential of anything. It fetches the source from the launcher, checks it, compiles
//! it, assembles the image and hands that back; the launcher judges the image and pushes it.

mod error;
mod outcome;
mod transfer;
mod workshop;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{Base, ImagePlan, Layout, Tag, assemble};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::ChaincodeType;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::{BuildFailure, Toolchain, Workplace, carry_out};
use selvedge_buildpack::source::Source;

use crate::error_chain::one_line;

use error::BuildJobError;
pub(crate) use outcome::Outcome;
use transfer::Launcher;
#[cfg(test)]
pub(crate) use transfer::pack;
pub(crate) use workshop::PodWorkshop;

/// Which part of the build's layout is the image.
const TAG: &str = "image";

/// What is to be built; the launcher writes this into the Job.
#[derive(Clone, Debug, Args)]
pub(crate) struct BuildJob {
    /// Where the launcher has the source and takes the image: an address for this build alone.
    #[arg(long, env = "SELVEDGE_BUILD_URL", hide_env_values = true)]
    pub(crate) url: String,
    /// What the source's digest must be.
    #[arg(long)]
    pub(crate) source: Sha256,
    /// What the digest of the base's certificates must be.
    #[arg(long)]
    pub(crate) certificates: Sha256,
    /// The language, as in the package's metadata.
    #[arg(long, value_parser = language)]
    pub(crate) language: Language,
    /// The path of the code within the source, as in the package's metadata.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) path: String,
    /// What to compile for.
    #[arg(long)]
    pub(crate) platform: Platform,
    /// An empty directory to work in.
    #[arg(long)]
    pub(crate) work: PathBuf,
    /// The file that takes the outcome: the container's termination message.
    #[arg(long, default_value = "/dev/termination-log")]
    pub(crate) outcome: PathBuf,
}

/// Where a copy of this program goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopySelf {
    /// The file; overwritten.
    pub(crate) to: PathBuf,
}

/// Builds, and writes the outcome to its file.
pub(crate) fn run(job: &BuildJob) -> ExitCode {
    let built = build(job);
    let outcome = outcome(&built);
    match &built {
        // The compiler has said it.
        Ok(_) | Err(BuildJobError::Compile(_)) => {}
        Err(error) => eprintln!("{}", one_line(error)),
    }
    if let Err(error) = fs::write(&job.outcome, outcome.to_json()) {
        eprintln!("cannot write {}: {error}", job.outcome.display());
        return ExitCode::FAILURE;
    }
    if built.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What there is to tell of a build.
fn outcome(built: &Result<Sha256, BuildJobError>) -> Outcome {
    match built {
        Ok(image) => Outcome::Image(*image),
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
    let made = pollster::block_on(carry_out(&*recipe, &tools(job)?, &place, &mut PodWorkshop));
    let parts = made.map_err(|failure| match failure {
        BuildFailure::Place(source) => BuildJobError::File { path: output.clone(), source },
        BuildFailure::Workshop(error) => error,
        BuildFailure::Compile(errors) => BuildJobError::Compile(errors),
        BuildFailure::Refused(refusal) => BuildJobError::Refused(refusal),
    })?;

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

fn base(launcher: &Launcher, job: &BuildJob) -> Result<Base, BuildJobError> {
    let pem = launcher.certificates()?;
    let (expected, actual) = (job.certificates, Sha256::of(&pem));
    if actual != expected {
        return Err(BuildJobError::Certificates { expected, actual });
    }
    let pem = std::str::from_utf8(&pem).map_err(|_| BuildJobError::NoCertificates)?;
    Base::from_pem(pem).ok_or(BuildJobError::NoCertificates)
}

fn source(launcher: &Launcher, job: &BuildJob) -> Result<Source, BuildJobError> {
    let source = Source::unpack(launcher.source()?, &job.work.join("source"))?;
    let (expected, actual) = (job.source, source.digest()?);
    if actual != expected {
        return Err(BuildJobError::SourceDigest { expected, actual });
    }
    Ok(source)
}

/// The image's tools. What an image says of a home is mostly that of another user.
fn tools(job: &BuildJob) -> Result<Toolchain, BuildJobError> {
    let own = [("HOME", "home"), ("TMPDIR", "tmp")];
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    for (variable, name) in own {
        if !variables.iter().any(|(name, _)| name == variable) {
            variables.push((variable.into(), directory(job.work.join(name))?.into()));
        }
    }
    let own = directory(job.work.join("tools"))?;
    let toolchain = job.language.toolchain(variables, &own);
    toolchain.map_err(|source| BuildJobError::File { path: own, source })
}

fn directory(path: PathBuf) -> Result<PathBuf, BuildJobError> {
    match fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(BuildJobError::File { path, source }),
    }
}

fn language(named: &str) -> Result<Language, String> {
    Language::of(&ChaincodeType::named(named)).ok_or_else(|| "no language that is built".to_owned())
}
