//! `fetch-job`: what runs beside a build that waits for it, in a container of its own, and alone has credentials for
//! what is fetched, and the right to write to what builds share. It runs nothing of what it fetches.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;
use selvedge_buildpack::recipe::{Extent, Workplace, fetch_ahead};

use super::error::BuildJobError;
use super::fetched::say;
use super::in_use::in_use_since;
use super::order::BuildJob;
use super::preparation::{dependencies, directory, failed, source, tools};
use super::transfer::Launcher;
use super::workshop::PodWorkshop;

/// The files of a home in which tools look for credentials.
const CREDENTIALS: [&str; 2] = [".netrc", ".npmrc"];

/// What is to be fetched, and where to.
#[derive(Clone, Debug, Args)]
pub(crate) struct FetchJob {
    #[command(flatten)]
    pub(crate) build: BuildJob,
    /// How much the place may hold, in bytes; what was not used for longest goes.
    #[arg(long)]
    pub(crate) limit: Option<u64>,
    /// How long a build may take, in seconds: what was used in that time stays.
    #[arg(long, default_value_t = 0)]
    pub(crate) time: u64,
    /// The directory with credentials.
    #[arg(long)]
    pub(crate) credentials: Option<PathBuf>,
}

/// Fetches.
pub(super) fn fetch(job: &FetchJob) -> Result<(), BuildJobError> {
    let FetchJob { build, limit, .. } = job;
    let Some(shared) = dependencies(build) else { return Ok(()) };
    let launcher = Launcher::at(&build.url)?;
    let source = source(&launcher, build)?;
    let recipe = build
        .language
        .recipe(&source, &build.path, build.platform)
        .map_err(BuildJobError::Refused)?;
    let home = home(job)?;
    let mut variables: Vec<_> = std::env::vars_os().filter(|(name, _)| name != "HOME").collect();
    variables.push(("HOME".into(), home.into()));
    let tools = tools(build, variables)?;
    let output = directory(build.work.join("output"))?;
    let place = Workplace { source: source.root(), output: &output };
    println!("fetching what the chaincode depends on");
    let fetched =
        pollster::block_on(fetch_ahead(&*recipe, &tools, &place, &shared, &mut PodWorkshop));
    let at = build.dependencies.as_deref().unwrap_or(&output);
    fetched.map_err(|failure| failed(failure, at))?;
    if let Some(file) = &build.fetched {
        say(true, file)?;
    }
    if let Some(limit) = *limit {
        match shared.bound(limit, in_use_since(job.time)) {
            Ok(Extent { freed: 0, .. }) => {}
            Ok(Extent { freed, .. }) => {
                println!("removed {} MiB of what no build has used for long", freed >> 20);
            }
            Err(source) => {
                return Err(BuildJobError::File { path: at.to_owned(), source });
            }
        }
    }
    Ok(())
}

/// A home with the credentials, and nothing of the image's.
fn home(job: &FetchJob) -> Result<PathBuf, BuildJobError> {
    let home = directory(job.build.work.join("home"))?;
    for name in CREDENTIALS {
        let Some(file) = job.credentials.as_ref().map(|place| place.join(name)) else { continue };
        if file.is_file() {
            let link = home.join(name);
            symlink(&file, &link).map_err(|source| unusable(&link, source))?;
        }
    }
    Ok(home)
}

fn unusable(path: &Path, source: std::io::Error) -> BuildJobError {
    BuildJobError::File { path: path.to_owned(), source }
}
