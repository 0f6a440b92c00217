//! `build-job`: what runs in the pod of a build, beside a toolchain that Selvedge did not make.
//!
//! It has no credential of anything. It fetches the source from the launcher, checks it, compiles
//! it, assembles the image and hands that back; the launcher judges the image and pushes it.

mod outcome;
mod transfer;

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::golang::{
    BuildCommand, GoBuild, GoError, GoModule, GoPath, GoToolchain, cgo_reason, first_errors,
    may_need_cgo,
};
use selvedge_buildpack::image::{
    AssembleError, Base, ImagePlan, Layout, LayoutError, Tag, assemble,
};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::source::{Source, SourceError};

use crate::error_chain::one_line;

pub(crate) use outcome::Outcome;
#[cfg(test)]
pub(crate) use transfer::pack;
use transfer::{Launcher, TransferError};

/// What of a compiler's output is searched for the first errors, in bytes.
const OUTPUT_LIMIT: usize = 256 << 10;

/// A line is cut here, in bytes.
const LINE_LIMIT: u64 = 16 << 10;

/// What the go command says of a compiler that got SIGKILL, which in a pod means: too much memory.
const KILLED: &str = "signal: killed";

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

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildJobError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error("the launcher's certificates have the digest {actual} instead of {expected}")]
    Certificates { expected: Sha256, actual: Sha256 },
    #[error("the launcher's certificates are no certificates")]
    NoCertificates,
    #[error("the source that the launcher sent was refused")]
    Source(#[from] SourceError),
    #[error("the source that the launcher sent has the digest {actual} instead of {expected}")]
    SourceDigest { expected: Sha256, actual: Sha256 },
    #[error("the chaincode cannot be built")]
    Go(#[from] GoError),
    #[error("cannot run {program} in the toolchain image")]
    Toolchain { program: String, source: io::Error },
    #[error("the chaincode does not compile")]
    Compile(Vec<String>),
    #[error("the compiler was killed")]
    Killed,
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
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
    let path: GoPath = job.path.parse()?;
    let plan = GoBuild::new(GoModule::open(&source, &path, job.platform)?, job.platform);
    let program = job.work.join("chaincode");
    compile(&plan, &toolchain(job)?, &source, &program)?;

    let images = Layout::create(&job.work.join("images"))?;
    let image =
        ImagePlan { base: &base, program: &program, source: job.source, platform: job.platform };
    let image = assemble(&image, &images.scratch())?;
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

/// The image's Go, with caches below the working directory unless the environment says where.
fn toolchain(job: &BuildJob) -> Result<GoToolchain, BuildJobError> {
    let own = [
        ("HOME", "home"),
        ("TMPDIR", "tmp"),
        ("GOCACHE", "go/cache"),
        ("GOPATH", "go/path"),
        ("GOMODCACHE", "go/modules"),
    ];
    let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    for (variable, directory) in own {
        if environment.iter().any(|(name, _)| name == variable) {
            continue;
        }
        let path = job.work.join(directory);
        fs::create_dir_all(&path)
            .map_err(|source| BuildJobError::File { path: path.clone(), source })?;
        environment.push((variable.into(), path.into()));
    }
    Ok(GoToolchain::new("go", environment))
}

/// Runs the compiler; its lines go to the pod's log as they come.
fn compile(
    plan: &GoBuild,
    toolchain: &GoToolchain,
    source: &Source,
    program: &Path,
) -> Result<(), BuildJobError> {
    let command = plan.command(toolchain, source.root(), program);
    let (output, input) = io::pipe().map_err(failed(&command))?;
    let mut compiler = process(&command)
        .stdout(input.try_clone().map_err(failed(&command))?)
        .stderr(input)
        .spawn()
        .map_err(failed(&command))?;
    let written = relay(output).map_err(failed(&command))?;
    let status = compiler.wait().map_err(failed(&command))?;
    if status.success() {
        return Ok(plan.check(program)?);
    }
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    if killed || written.contains(KILLED) {
        return Err(BuildJobError::Killed);
    }
    let mut errors = first_errors(&written);
    if may_need_cgo(&written)
        // Without an answer, what the compiler said has to do.
        && let Ok(listed) = process(&plan.cgo_command(toolchain, source.root())).output()
    {
        let listed = String::from_utf8_lossy(&listed.stdout);
        if let Some(reason) = cgo_reason(&listed, &written, &command.directory) {
            println!("{reason}");
            errors.insert(0, reason);
        }
    }
    Err(BuildJobError::Compile(errors))
}

fn process(command: &BuildCommand) -> Command {
    let mut process = Command::new(&command.program);
    process
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.directory)
        .stdin(Stdio::null());
    process
}

fn failed(command: &BuildCommand) -> impl Fn(io::Error) -> BuildJobError {
    let program = command.program.to_string_lossy().into_owned();
    move |source| BuildJobError::Toolchain { program: program.clone(), source }
}

/// Passes lines on until all that write have ended; what they wrote, up to a limit.
fn relay(output: impl Read) -> io::Result<String> {
    let mut output = BufReader::new(output);
    let mut written = String::new();
    loop {
        let mut line = Vec::new();
        if output.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)? == 0 {
            return Ok(written);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        // A reader that is gone does not end the build.
        let _ = writeln!(io::stdout(), "{line}");
        if written.len() + line.len() < OUTPUT_LIMIT {
            written.push_str(line);
            written.push('\n');
        }
    }
}
