//! One round: a network, a launcher that knows nothing, and each chaincode three times.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::package;
use tempfile::TempDir;

use super::sample::Sample;

/// A peer whose launcher knew nothing when it came up.
pub(super) trait Installs {
    /// Installs a package.
    fn install(&self, package: &Path) -> Result<()>;
}

/// Who builds the same, beside an install.
pub(super) trait Beside {
    /// How long that takes for the source in a directory, to which may be written.
    fn build(&self, sample: Sample, source: &Path) -> Result<Duration>;
}

/// How long each took.
pub(super) struct Times {
    pub(super) beside_cold: Duration,
    pub(super) beside_cached: Duration,
    pub(super) cold: Duration,
    pub(super) cached: Duration,
    pub(super) known: Duration,
}

/// Another peer builds by an install.
impl<I: Installs> Beside for I {
    fn build(&self, sample: Sample, source: &Path) -> Result<Duration> {
        let files = TempDir::new().context("no temporary directory")?;
        let file = files.path().join("package.tar.gz");
        timed(self, source, &format!("{sample}_0"), &file)
    }
}

/// What a round came to.
pub(super) fn measure(
    peer: &dyn Installs,
    beside: &dyn Beside,
    samples: &[Sample],
) -> Result<Vec<(Sample, Times)>> {
    let files = TempDir::new().context("no temporary directory")?;
    let mut times = Vec::new();
    for &sample in samples {
        eprintln!("  {sample}");
        times.push((sample, of(sample, peer, beside, files.path())?));
    }
    Ok(times)
}

fn of(sample: Sample, peer: &dyn Installs, beside: &dyn Beside, files: &Path) -> Result<Times> {
    let path = |name: &str| files.join(format!("{sample}-{name}"));
    let (other, source) = (path("other"), path("source"));
    sample.copy(&other)?;
    sample.copy(&source)?;
    let install = |label: &str| timed(peer, &source, label, &files.join(format!("{label}.tar.gz")));
    let beside_cold = beside.build(sample, &other)?;
    let cold = install(&format!("{sample}_1.0"))?;
    let known = install(&format!("{sample}_1.1"))?;
    // Afresh, as the launcher has it: what was built before is not there.
    let again = path("again");
    sample.copy(&again)?;
    sample.change(&again)?;
    let beside_cached = beside.build(sample, &again)?;
    sample.change(&source)?;
    let cached = install(&format!("{sample}_2.0"))?;
    Ok(Times { beside_cold, beside_cached, cold, cached, known })
}

/// How long an install takes of a package that is made now.
fn timed(
    peer: &(impl Installs + ?Sized),
    source: &Path,
    label: &str,
    file: &Path,
) -> Result<Duration> {
    package(source, label, file);
    let began = Instant::now();
    peer.install(file)?;
    Ok(began.elapsed())
}
