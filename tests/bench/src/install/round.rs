//! One round: a network, a launcher that knows nothing, and each chaincode three times.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::package;
use tempfile::TempDir;

use super::by_hand;
use super::sample::Sample;

/// A peer whose launcher knew nothing when it came up.
pub(super) trait Installs {
    /// Installs a package.
    fn install(&self, package: &Path) -> Result<()>;
}

/// How long each took.
pub(super) struct Times {
    pub(super) by_hand_cold: Duration,
    pub(super) by_hand_cached: Duration,
    pub(super) cold: Duration,
    pub(super) cached: Duration,
    pub(super) known: Duration,
}

/// What a round came to.
pub(super) fn measure(peer: &dyn Installs, samples: &[Sample]) -> Result<Vec<(Sample, Times)>> {
    let files = TempDir::new().context("no temporary directory")?;
    let mut times = Vec::new();
    for &sample in samples {
        eprintln!("  {sample}");
        times.push((sample, of(sample, peer, files.path())?));
    }
    Ok(times)
}

fn of(sample: Sample, peer: &dyn Installs, files: &Path) -> Result<Times> {
    let path = |name: &str| files.join(format!("{sample}-{name}"));
    let (hand, home, source) = (path("hand"), path("home"), path("source"));
    sample.copy(&hand)?;
    sample.copy(&source)?;
    std::fs::create_dir(&home)?;
    let install = |label: &str| {
        let file = files.join(format!("{label}.tar.gz"));
        package(&source, label, &file);
        let began = Instant::now();
        peer.install(&file)?;
        anyhow::Ok(began.elapsed())
    };
    let by_hand_cold = by_hand::build(sample, &hand, &home)?;
    let cold = install(&format!("{sample}_1.0"))?;
    let known = install(&format!("{sample}_1.1"))?;
    // Afresh, as the launcher has it: what was built before is not there.
    let again = path("again");
    sample.copy(&again)?;
    sample.change(&again)?;
    let by_hand_cached = by_hand::build(sample, &again, &home)?;
    sample.change(&source)?;
    let cached = install(&format!("{sample}_2.0"))?;
    Ok(Times { by_hand_cold, by_hand_cached, cold, cached, known })
}
